//go:build !linux

package fanout

import "time"

func cpu(int) (user, system time.Duration, known bool) { return 0, 0, false }

func rss(int) int64 { return 0 }
