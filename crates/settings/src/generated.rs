//! Files with generated parts: written, or checked to be what the code says.

use std::path::Path;

/// Makes the new text of a file from the old one.
pub type Make = fn(&str) -> Result<String, String>;

/// Writes the files, whose names are relative to `root`; with `check` writes nothing.
///
/// # Errors
/// What is wrong with each file that cannot be written, or with `check` differs from what `make` says. `remedy` is the
/// command that generates.
pub fn files(
    root: &Path,
    files: &[(&str, Make)],
    check: bool,
    remedy: &str,
) -> Result<(), Vec<String>> {
    let problems = files.iter().filter_map(|(name, make)| {
        let problem = file(&root.join(name), *make, check, remedy).err()?;
        Some(format!("{name}: {problem}"))
    });
    let problems: Vec<String> = problems.collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn file(path: &Path, make: Make, check: bool, remedy: &str) -> Result<(), String> {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    let new = match make(&old) {
        Ok(new) => new,
        // Nothing to write between is no mistake of the writer.
        Err(_) if !check => return Ok(()),
        Err(problem) => return Err(problem),
    };
    if new == old {
        return Ok(());
    }
    if check {
        return Err(format!("differs from what the code says; run `{remedy}`"));
    }
    std::fs::write(path, new).map_err(|error| error.to_string())
}

/// The text with the lines between those that hold `start` and `end` replaced.
///
/// # Errors
/// When there is no such line.
pub fn replaced(text: &str, start: &str, end: &str, block: &str) -> Result<String, String> {
    let missing = |marker: &str| format!("has no line `{marker}`");
    let (before, rest) = text.split_once(start).ok_or_else(|| missing(start))?;
    let at = rest.find(end).ok_or_else(|| missing(end))?;
    // The end's own indentation belongs to it.
    let line = rest[..at].rfind('\n').map_or(0, |newline| newline + 1);
    Ok(format!("{before}{start}\n{block}{}", &rest[line..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_replaced_between_its_marks() {
        let text = "a\n# begin\nold\n  # end\nb\n";
        let new = replaced(text, "# begin", "# end", "new\n");
        assert_eq!(new.as_deref(), Ok("a\n# begin\nnew\n  # end\nb\n"));
        assert!(replaced(text, "# nowhere", "# end", "").is_err());
    }

    #[test]
    fn a_file_that_differs_is_told_and_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let all: [(&str, Make); 1] = [("a.txt", |_| Ok("text\n".to_owned()))];
        let told = files(folder.path(), &all, true, "make it").expect_err("it is not there");
        assert_eq!(
            told,
            ["a.txt: differs from what the code says; run `make it`"]
        );
        files(folder.path(), &all, false, "make it").expect("written");
        files(folder.path(), &all, true, "make it").expect("as it should be");
    }
}
