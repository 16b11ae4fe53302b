//! Figures of the process itself, by the names that Prometheus' client libraries give them.

/// One figure, ready to be written in whatever form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// With `_total` where it is a counter.
    pub name: &'static str,
    pub help: &'static str,
    /// Whether it never falls; otherwise it is a gauge.
    pub counter: bool,
    pub value: f64,
}

/// What the system knows of the process. A figure is `None` where the system does not tell it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Of user and system, in seconds.
    pub cpu_seconds: Option<f64>,
    pub resident_memory_bytes: Option<u64>,
    pub virtual_memory_bytes: Option<u64>,
    /// The limit; `None` too where there is none.
    pub virtual_memory_max_bytes: Option<u64>,
    /// Since the beginning of 1970, in seconds.
    pub start_time_seconds: Option<f64>,
    pub open_fds: Option<u64>,
    /// The soft limit; `None` too where there is none.
    pub max_fds: Option<u64>,
}

impl Process {
    /// The figures of now. Nothing on systems that have no `/proc` as Linux has it.
    pub fn read() -> Self {
        #[cfg(target_os = "linux")]
        {
            linux::read().unwrap_or_default()
        }
        #[cfg(not(target_os = "linux"))]
        {
            Self::default()
        }
    }

    /// Those figures that are known.
    pub fn figures(&self) -> Vec<Figure> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "expositions have floats, and no process has 2^53 bytes"
        )]
        let whole = |value: Option<u64>| value.map(|value| value as f64);
        let all = [
            (
                "process_cpu_seconds_total",
                "CPU time that the process has spent in user and system mode, in seconds.",
                self.cpu_seconds,
            ),
            (
                "process_max_fds",
                "File descriptors that the process may have open.",
                whole(self.max_fds),
            ),
            (
                "process_open_fds",
                "File descriptors that the process has open.",
                whole(self.open_fds),
            ),
            (
                "process_resident_memory_bytes",
                "Memory of the process that is in RAM, in bytes.",
                whole(self.resident_memory_bytes),
            ),
            (
                "process_start_time_seconds",
                "When the process started, in seconds since the beginning of 1970.",
                self.start_time_seconds,
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory of the process, in bytes.",
                whole(self.virtual_memory_bytes),
            ),
            (
                "process_virtual_memory_max_bytes",
                "Virtual memory that the process may have, in bytes.",
                whole(self.virtual_memory_max_bytes),
            ),
        ];
        let known = all.into_iter().filter_map(|(name, help, value)| {
            Some(Figure {
                name,
                help,
                counter: name.ends_with("_total"),
                value: value?,
            })
        });
        known.collect()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Process;
    use procfs::process::LimitValue;

    pub(super) fn read() -> procfs::ProcResult<Process> {
        let process = procfs::process::Process::myself()?;
        let stat = process.stat()?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "ticks since the start are exact in 53 bits"
        )]
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds of this era are exact in 53 bits"
        )]
        let booted = procfs::boot_time_secs().ok().map(|booted| booted as f64);
        let limits = process.limits().ok();
        let most = |limit: LimitValue| match limit {
            LimitValue::Unlimited => None,
            LimitValue::Value(value) => Some(value),
        };
        Ok(Process {
            cpu_seconds: Some(seconds(stat.utime + stat.stime)),
            resident_memory_bytes: Some(stat.rss * procfs::page_size()),
            virtual_memory_bytes: Some(stat.vsize),
            virtual_memory_max_bytes: limits
                .as_ref()
                .and_then(|limits| most(limits.max_address_space.soft_limit)),
            start_time_seconds: booted.map(|booted| booted + seconds(stat.starttime)),
            open_fds: process.fd_count().ok().map(|count| count as u64),
            max_fds: limits
                .as_ref()
                .and_then(|limits| most(limits.max_open_files.soft_limit)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_a_figure() {
        assert!(Process::default().figures().is_empty());
        let process = Process {
            cpu_seconds: Some(1.5),
            open_fds: Some(7),
            ..Process::default()
        };
        let figures = process.figures();
        let told: Vec<_> = figures
            .iter()
            .map(|figure| (figure.name, figure.counter, figure.value))
            .collect();
        assert_eq!(
            told,
            [
                ("process_cpu_seconds_total", true, 1.5),
                ("process_open_fds", false, 7.0)
            ]
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_of_this_process() {
        let before = Process::read();
        let files: Vec<_> = (0..5)
            .map(|_| std::fs::File::open("/proc/self/stat").expect("a file"))
            .collect();
        let after = Process::read();
        drop(files);
        assert!(after.open_fds.expect("known") >= 5);
        assert!(after.max_fds >= after.open_fds);
        assert!(after.cpu_seconds >= before.cpu_seconds);
        assert_eq!(after.start_time_seconds, before.start_time_seconds);
        let resident = after.resident_memory_bytes.expect("known");
        assert!(resident > 100_000 && Some(resident) < after.virtual_memory_bytes);
        let now = chrono::Utc::now().timestamp();
        let started = after.start_time_seconds.expect("known");
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds of this era are exact in 53 bits"
        )]
        let now = now as f64;
        assert!(started > 1e9 && started < now + 60.0, "{started} {now}");
    }
}
