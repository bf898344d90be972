//! What the body may do, and what becomes of its panics.
