package gateway

import (
	"net/netip"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	now := time.Unix(1000, 0)
	th := NewThrottle(ThrottleConfig{Burst: 3, Every: 10 * time.Second, Now: func() time.Time { return now }})
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range 3 {
		if _, ok := th.Check(a); !ok {
			t.Fatalf("refused after %d failures", i)
		}
		th.Failed(a)
	}
	if after, ok := th.Check(a); ok || after != 10*time.Second {
		t.Fatalf("after the burst: %v %v", after, ok)
	}
	if _, ok := th.Check(b); !ok {
		t.Fatal("another address is refused")
	}
	now = now.Add(9 * time.Second)
	if after, ok := th.Check(a); ok || after != time.Second {
		t.Fatalf("nine seconds later: %v %v", after, ok)
	}
	now = now.Add(time.Second)
	if _, ok := th.Check(a); !ok {
		t.Fatal("refused after its time")
	}
	th.Failed(a)
	if _, ok := th.Check(a); ok {
		t.Fatal("a second failure in ten seconds passed")
	}
	for range 100 { // in flight together: the debt is bounded
		th.Failed(a)
	}
	if after, ok := th.Check(a); ok || after > 40*time.Second {
		t.Fatalf("debt: %v", after)
	}
	now = now.Add(time.Minute)
	if _, ok := th.Check(a); !ok || len(th.buckets) != 0 || th.oldest.Len() != 0 {
		t.Fatalf("a full bucket is kept: %d", len(th.buckets))
	}
}

func TestThrottleTableIsBounded(t *testing.T) {
	th := NewThrottle(ThrottleConfig{Burst: 1, Addresses: 4})
	first := netip.MustParseAddr("10.0.0.0")
	for addr, i := first, 0; i < 10; addr, i = addr.Next(), i+1 {
		th.Failed(addr)
	}
	if len(th.buckets) != 4 || th.oldest.Len() != 4 {
		t.Fatalf("%d addresses are remembered", len(th.buckets))
	}
	if _, ok := th.Check(first); !ok {
		t.Fatal("the oldest was not forgotten")
	}
	if _, ok := th.Check(netip.MustParseAddr("10.0.0.9")); ok {
		t.Fatal("the newest was forgotten")
	}
}

func TestThrottleTakesANetworkOfIPv6ForOneClient(t *testing.T) {
	th := NewThrottle(ThrottleConfig{Burst: 1})
	th.Failed(netip.MustParseAddr("2001:db8:0:1::1"))
	if _, ok := th.Check(netip.MustParseAddr("2001:db8:0:1:ffff::2%eth0")); ok {
		t.Error("the same /64 passed")
	}
	if _, ok := th.Check(netip.MustParseAddr("2001:db8:0:2::1")); !ok {
		t.Error("another /64 was refused")
	}
	th.Failed(netip.MustParseAddr("::ffff:192.0.2.1"))
	if _, ok := th.Check(netip.MustParseAddr("192.0.2.1")); ok {
		t.Error("an IPv4 address passed in its other form")
	}
	th.Failed(netip.Addr{}) // a peer without address must not panic
}
