//go:build !amd64 || purego

package vector

// kernels are those that this machine can run, the fastest first.
func kernels() []kernel { return []kernel{portable} }
