module rayon-errgroup/benches/go

go 1.23

require golang.org/x/sync v0.1.0
