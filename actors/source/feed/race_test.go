//go:build race

package feed_test

func init() { slowly = true }
