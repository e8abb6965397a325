//! Placet's tests.
