//! Files of JSON lines: each record as a RECORD message has it, and what is added to it.

use crate::error::{At, Error};
use crate::format::Compression;
use crate::row::{EXTRACTED_AT, Row, SEQUENCE, TABLE_VERSION};
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The level of zstd, its own default.
const ZSTD_LEVEL: i32 = 3;

/// A file under construction.
pub struct JsonlFile {
    path: PathBuf,
    out: Out,
}

/// What compresses on the way to the disk.
enum Out {
    Plain(BufWriter<File>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
    Gzip(GzEncoder<BufWriter<File>>),
}

impl JsonlFile {
    pub fn create(path: &Path, compression: Compression) -> Result<Self, Error> {
        let file = File::create_new(path).at(path)?;
        let file = BufWriter::with_capacity(128 << 10, file);
        let out = match compression {
            Compression::None => Out::Plain(file),
            Compression::Zstd => Out::Zstd(zstd::Encoder::new(file, ZSTD_LEVEL).at(path)?),
            Compression::Gzip => Out::Gzip(GzEncoder::new(file, flate2::Compression::default())),
        };
        Ok(Self {
            path: path.to_owned(),
            out,
        })
    }

    /// Appends a row, with what is added to it.
    pub fn append(&mut self, row: &Row<'_>, sequence: i64) -> Result<(), Error> {
        let written = self.out.write_row(row, sequence);
        written.at(&self.path)
    }

    /// Appends a whole line that another file has.
    pub fn append_line(&mut self, line: &[u8]) -> Result<(), Error> {
        let written = self
            .out
            .write_all(line)
            .and_then(|()| self.out.write_all(b"\n"));
        written.at(&self.path)
    }

    pub fn finish(self) -> Result<(), Error> {
        self.out.finish().at(&self.path)
    }
}

impl Out {
    fn write_row(&mut self, row: &Row<'_>, sequence: i64) -> io::Result<()> {
        let text = row.text();
        let (open, is_empty) = match text {
            [inside @ .., b'}'] => (inside, inside.len() == 1),
            _ => return Err(io::Error::other("a record that is no object")),
        };
        self.write_all(open)?;
        let comma = if is_empty { "" } else { "," };
        let at = row.extracted_at;
        write!(
            self,
            "{comma}\"{EXTRACTED_AT}\":\"{at}\",\"{SEQUENCE}\":{sequence}"
        )?;
        if let Some(version) = row.table_version {
            write!(self, ",\"{TABLE_VERSION}\":{version}")?;
        }
        self.write_all(b"}\n")
    }

    fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Self::Plain(file) => file,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Gzip(encoder) => encoder.finish()?,
        };
        file.flush()?;
        file.get_ref().sync_all()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
        }
    }
}

/// What a file of lines has, uncompressed.
pub fn read(path: &Path) -> io::Result<BufReader<Box<dyn Read>>> {
    let file = File::open(path)?;
    let reader: Box<dyn Read> = match path.extension().and_then(|ending| ending.to_str()) {
        Some("zst") => Box::new(zstd::Decoder::new(file)?),
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    Ok(BufReader::with_capacity(128 << 10, reader))
}
