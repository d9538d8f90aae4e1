//go:build !linux

package load

import "time"

func threadTime() func() time.Time { return time.Now }
