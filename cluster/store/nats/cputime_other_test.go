//go:build !unix

package nats

import "time"

func processTime() (time.Duration, bool) { return 0, false }
