module github.com/birdwire/birdwire/actors/router/index/compare

go 1.26.0

require github.com/birdwire/birdwire v0.0.0

require (
	github.com/minio/highwayhash v1.0.4 // indirect
	golang.org/x/net v0.62.0 // indirect
)

require (
	github.com/expr-lang/expr v1.17.8
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/birdwire/birdwire => ../../../..
