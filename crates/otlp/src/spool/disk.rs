//! Room on the disk of a spool.

use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is free on the disk of a file without what only root may use, in bytes; none: that is not known.
pub fn free(file: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(file).ok()?;
    // Some that are not of this machine tell nothing.
    (disk.f_blocks > 0).then(|| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What a file takes on its disk, in bytes.
pub fn taken(file: &Path) -> u64 {
    metadata(file).map_or(0, |about| about.blocks().saturating_mul(512))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_its_room_and_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        assert_eq!((free(&file), taken(&file)), (None, 0));
        std::fs::write(&file, "").expect("written");
        assert_eq!(taken(&file), 0);
        assert!(free(&file).is_some());
        let words = (0..25_000_u32).map(|word| word.wrapping_mul(0x9E37_79B9));
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        std::fs::write(&file, bytes).expect("written");
        let sparse = std::fs::File::options().write(true).open(&file);
        let sparse = sparse.expect("a file");
        sparse.set_len(1 << 30).expect("longer");
        sparse.sync_all().expect("on the disk");
        assert!((100_000..1 << 20).contains(&taken(&file)));
    }
}
