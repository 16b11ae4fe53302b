//! Where requests go, as messages name it: the server, and the proxy before it.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// The way to the server.
#[derive(Debug)]
pub struct Route {
    /// Its address, as `base_url` has it, without the path of the API.
    pub server: String,
    pub proxy: Option<Proxy>,
}

/// What requests go through before they reach the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Host and port, without the user and the password.
    address: String,
    /// The setting or the variable that names it.
    setting: &'static str,
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the proxy {} of `{}`", self.address, self.setting)
    }
}

impl Route {
    /// To an address of the server, through the proxy of the setting, if one is set.
    pub fn new(base_url: &Url, proxy_url: Option<&Url>) -> Self {
        let base = base_url.as_str();
        let base = base.strip_suffix("api/0/").unwrap_or(base);
        Self {
            server: base.trim_end_matches('/').to_owned(),
            proxy: Proxy::of(base_url, proxy_url),
        }
    }

    /// Why no connection came about, by what the HTTP client says.
    pub fn unreachable(&self, text: &str) -> String {
        let Some(proxy) = &self.proxy else {
            return format!("cannot connect to {}: {text}", self.server);
        };
        if text.contains("proxy authorization required") {
            return proxy.wants_login();
        }
        let setting = proxy.setting;
        // Names of servers are left to the proxy to look up, but by `socks4` and `socks5`.
        if [
            "tcp connect error",
            "dns error",
            "failed to create underlying connection",
        ]
        .iter()
        .any(|own| text.contains(own))
        {
            return format!("cannot connect to {proxy}: {text}; check `{setting}`");
        }
        format!(
            "cannot connect to {} through {proxy}: {text}; check `{setting}`",
            self.server
        )
    }
}

impl Proxy {
    /// The one that is configured, or that the HTTP client takes from the environment.
    fn of(base_url: &Url, proxy_url: Option<&Url>) -> Option<Self> {
        if let Some(url) = proxy_url {
            let port = url.port_or_known_default().unwrap_or(1080);
            return Some(Self {
                address: format!("{}:{port}", url.host_str().unwrap_or_default()),
                setting: "proxy_url",
            });
        }
        let taken = Matcher::from_env().intercept(&base_url.as_str().parse().ok()?)?;
        let uri = taken.uri();
        let address = uri.port_u16().map_or_else(
            || uri.host().unwrap_or_default().to_owned(),
            |port| format!("{}:{port}", uri.host().unwrap_or_default()),
        );
        Some(Self {
            address,
            setting: variable(base_url.scheme(), |name| std::env::var(name).ok()),
        })
    }

    pub fn wants_login(&self) -> String {
        format!(
            "{self} requires a valid user name and password (HTTP 407); set them in `{}`, as http://USER:PASSWORD@HOST:PORT",
            self.setting
        )
    }
}

/// The variable that names the proxy for a scheme. Of each pair the first that is there counts, even when it is empty.
fn variable(scheme: &str, get: impl Fn(&str) -> Option<String>) -> &'static str {
    let own = if scheme == "https" {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    let all = ["ALL_PROXY", "all_proxy"];
    let there =
        |pair: [&'static str; 2]| pair.into_iter().find_map(|name| Some((name, get(name)?)));
    [own, all]
        .into_iter()
        .filter_map(there)
        .find(|(_, value)| !value.is_empty())
        .map_or(own[0], |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https", &[("https_proxy", "a")], "https_proxy")]
    #[case("https", &[("https_proxy", "a"), ("HTTPS_PROXY", "b")], "HTTPS_PROXY")]
    #[case("https", &[("HTTP_PROXY", "a"), ("all_proxy", "b")], "all_proxy")]
    #[case("http", &[("HTTP_PROXY", ""), ("http_proxy", "a"), ("ALL_PROXY", "b")], "ALL_PROXY")]
    fn the_variable_of_a_proxy_is_named(
        #[case] scheme: &str,
        #[case] set: &[(&str, &str)],
        #[case] named: &str,
    ) {
        let get = |name: &str| {
            set.iter()
                .find(|(set, _)| *set == name)
                .map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(variable(scheme, get), named);
    }
}
