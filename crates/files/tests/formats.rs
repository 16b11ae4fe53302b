//! Folders of formats that the program is built with, and of one that it is not.

use tap_sentry_files::{Folder, Format};

/// With and without `--no-default-features`.
#[test]
fn a_folder_of_a_format_that_is_not_built_is_refused() {
    for format in [Format::Parquet, Format::Jsonl] {
        let folder = tempfile::tempdir().expect("a folder");
        for _ in 0..2 {
            let opened =
                Folder::open(folder.path(), Some(format)).map(|folder| folder.manifest.format);
            match opened {
                Ok(found) => assert!(format.is_built() && found == format),
                Err(error) => {
                    assert!(!format.is_built() && error.is_of_setup(), "{error}");
                    assert!(
                        error.to_string().contains("--output-format jsonl"),
                        "{error}"
                    );
                }
            }
        }
    }
    assert_eq!(Format::Parquet.is_built(), cfg!(feature = "parquet"));
}
