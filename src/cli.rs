//! The command line.

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, ValueEnum};
use std::path::PathBuf;
use tap_sentry_files::{Compression, Format as FileFormat};

/// Extract an organization's data from Sentry as Singer messages.
///
/// With a configuration and no mode, syncs: SCHEMA, RECORD and STATE lines go to stdout, everything else to stderr. With
/// --output rows go to files, and nothing to stdout.
#[derive(Debug, Parser)]
#[command(name = "tap-sentry", version = concat!("v", env!("CARGO_PKG_VERSION")), after_help = EXIT_CODES)]
pub struct Cli {
    /// Settings: a JSON file, or ENV for the environment (`TAP_SENTRY_<KEY>`) and .env; may be repeated, later wins
    #[arg(short, long, value_name = "FILE")]
    pub config: Vec<String>,
    #[command(flatten)]
    pub mode: Mode,
    /// Catalog: the streams and fields to sync; without it, every stream that is selected by default
    #[arg(long, value_name = "FILE", alias = "properties", short_alias = 'p')]
    pub catalog: Option<PathBuf>,
    /// State: the value of the last STATE message of the last run
    #[arg(short, long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    /// After the sync, compare the errors extracted with those that Sentry accepted, by project
    #[arg(long, conflicts_with_all = ["discover", "about", "test", "generate", "compact"])]
    pub check_counts: bool,
    /// Output format of --about
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "about")]
    pub format: Format,
    /// Log each request; twice: also the HTTP library
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// Files instead of messages.
#[derive(Debug, Args)]
#[group(id = "files", multiple = true)]
pub struct OutputArgs {
    /// Write rows to files in this folder, and the state beside them, instead of messages to stdout; a later run goes on from there
    #[arg(long, value_name = "DIR", conflicts_with_all = ["discover", "about", "test", "generate"])]
    pub output: Option<PathBuf>,
    /// Format of the files; that of the folder, or parquet where it is new
    #[arg(long, value_name = "FORMAT", value_enum, requires = "output")]
    pub output_format: Option<OutputFormat>,
    /// Compression of JSON lines; that of the folder, or none where it is new
    #[arg(long, value_name = "METHOD", value_enum, requires = "output")]
    pub output_compression: Option<OutputCompression>,
    /// Ignore the folder's state and read everything anew; what that replaces is removed when all of it has come
    #[arg(long, requires = "output", conflicts_with_all = ["state", "compact"])]
    pub full_refresh: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Parquet,
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputCompression {
    None,
    Zstd,
    Gzip,
}

impl OutputArgs {
    /// What the files are to be, where that is said.
    pub fn format(&self) -> Option<FileFormat> {
        self.output_format.map(|format| match format {
            OutputFormat::Parquet => FileFormat::Parquet,
            OutputFormat::Jsonl => FileFormat::Jsonl,
        })
    }

    /// How they are to be compressed, where that is said.
    pub fn compression(&self) -> Option<Compression> {
        self.output_compression.map(|method| match method {
            OutputCompression::None => Compression::None,
            OutputCompression::Zstd => Compression::Zstd,
            OutputCompression::Gzip => Compression::Gzip,
        })
    }
}

impl Cli {
    /// The command line, or the end of the program where it is not valid.
    pub fn parse_or_exit() -> Self {
        let cli = Self::parse();
        if cli.output.output_compression.is_some()
            && cli.output.output_format == Some(OutputFormat::Parquet)
        {
            Self::command()
                .error(
                    ErrorKind::ArgumentConflict,
                    "--output-compression is for JSON lines: Parquet compresses by itself",
                )
                .exit();
        }
        cli
    }
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Mode {
    /// Print the catalog; needs no token and no network
    #[arg(short, long)]
    pub discover: bool,
    /// Check the token and each stream's endpoint and print one record of each; `schema`: SCHEMA messages only
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub test: Option<String>,
    /// Print name, version, capabilities, settings and streams
    #[arg(long)]
    pub about: bool,
    /// Merge small files in the folder of --output, and remove rows that later ones have replaced
    #[arg(long, requires = "output", conflicts_with_all = ["catalog", "state"])]
    pub compact: bool,
    /// Print a man page or a shell's completions
    #[arg(long, value_name = "WHAT", value_enum)]
    pub generate: Option<Artifact>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Artifact {
    Man,
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Markdown,
}

/// One source for --help, --about and README.
pub const EXIT_CODES: &str = "Exit codes:
  0  complete
  1  configuration, catalog or state not usable, or an unexpected error
  2  invalid command line
  3  Sentry refused the token
  4  incomplete: something could not be extracted, or the run was stopped; the next run reads what is missing, as far as it can be read
  5  stdout was closed
  6  the folder of --output cannot be written to";
