//! The envelope, in which events and transactions travel.
