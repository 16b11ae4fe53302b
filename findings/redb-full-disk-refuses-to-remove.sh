#!/usr/bin/env bash
# Expected: on a full disk entries can be removed, since pages are free in the file: those of the last commit
# Happens: each try to remove one fails for want of storage space, also after the database was opened anew; with one block
#   more it works. redb takes a page that was allocated before and never written, for which the sparse file has no block
# Version: redb 4.6.0 (crate), on a backend that counts blocks; seen on a tmpfs of 8 MiB as well.
# Concerns: queues and caches that make room by removing: leave some room on the disk free
# Source: seen on 2026-11-30.
. "$(dirname "$0")/shared/crate.sh" <<'TOML'
redb = "=4.6.0"
TOML
cat > src/main.rs <<'RUST'
use redb::{Builder, Database, Error, StorageBackend, TableDefinition};
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};

const BLOCK: u64 = 4096;
const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("about");
const LENGTHS: TableDefinition<u64, u64> = TableDefinition::new("lengths");
const BODIES: TableDefinition<u64, &[u8]> = TableDefinition::new("bodies");

/// A sparse file on a disk of so many blocks: one is taken when something is first written to it.
#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    taken: HashSet<u64>,
    blocks: usize,
}

#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Content>>);

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }
    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        out.copy_from_slice(&self.0.lock().unwrap().bytes[at as usize..][..out.len()]);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.0.lock().unwrap();
        content.bytes.resize(len as usize, 0);
        content.taken.retain(|block| block * BLOCK < len);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let mut content = self.0.lock().unwrap();
        for block in at / BLOCK..(at + data.len() as u64).div_ceil(BLOCK) {
            if !content.taken.contains(&block) {
                if content.taken.len() == content.blocks {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                content.taken.insert(block);
            }
        }
        content.bytes[at as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn open(disk: &Disk) -> Database {
    Builder::new().create_with_backend(disk.clone()).unwrap()
}

fn insert(database: &Database, key: u64) -> Result<(), Error> {
    let write = database.begin_write()?;
    {
        let mut bodies = write.open_table(BODIES)?;
        write.open_table(LENGTHS)?.insert(key, 100_000)?;
        bodies.insert(key, &[7; 100_000][..])?;
    }
    Ok(write.commit()?)
}

fn remove(database: &Database, key: u64) -> Result<(), Error> {
    let write = database.begin_write()?;
    write.open_table(LENGTHS)?.remove(key)?;
    write.open_table(BODIES)?.remove(key)?;
    Ok(write.commit()?)
}

fn main() {
    let disk = Disk::default();
    disk.0.lock().unwrap().blocks = 2048;
    let database = open(&disk);
    let write = database.begin_write().unwrap();
    write.open_table(ABOUT).unwrap().insert("version", 1).unwrap();
    write.commit().unwrap();
    let mut count = 0;
    let full = loop {
        match insert(&database, count) {
            Ok(()) => count += 1,
            Err(why) => break why,
        }
        assert!(count < 100, "the disk has only 8 MiB");
    };
    println!("{count} entries fit, then: {full}");
    drop(database);
    for _ in 0..3 {
        let error = remove(&open(&disk), 0).unwrap_err();
        println!("opened anew, one of them is removed: {error}");
        assert!(matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::StorageFull));
    }
    disk.0.lock().unwrap().blocks += 1;
    remove(&open(&disk), 0).unwrap();
    println!("with one block more: removed");
}
RUST
cargo run -q
