package gateway

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestThrottleByAddress(t *testing.T) {
	now := time.Unix(1000, 0)
	th := NewThrottle(ThrottleConfig{Burst: 3, Every: 10 * time.Second, Now: func() time.Time { return now }})
	a, b := addr("192.0.2.1"), addr("192.0.2.2")
	guesses := 0
	guess := func(a netip.Addr) (time.Duration, bool) {
		guesses++
		return th.Failed(a, fmt.Sprint("guess ", guesses))
	}
	for i := range 3 {
		if _, throttled := guess(a); throttled {
			t.Fatalf("throttled after %d failures", i)
		}
	}
	for range 100 { // what is throttled does not push the time further away
		if after, throttled := guess(a); !throttled || after != 10*time.Second {
			t.Fatalf("after the burst: %v %v", after, throttled)
		}
	}
	if _, throttled := guess(b); throttled {
		t.Fatal("another address is throttled")
	}
	now = now.Add(9 * time.Second)
	if after, throttled := guess(a); !throttled || after != time.Second {
		t.Fatalf("nine seconds later: %v %v", after, throttled)
	}
	now = now.Add(time.Second)
	if _, throttled := guess(a); throttled {
		t.Fatal("throttled after its time")
	}
	if _, throttled := guess(a); !throttled {
		t.Fatal("a second failure in ten seconds passed")
	}
	now = now.Add(time.Hour)
	th.Failed(addr("192.0.2.3"), "x")
	if th.addresses.wait(a) != 0 || th.addresses.wait(b) != 0 || len(th.addresses.of) != 1 {
		t.Fatalf("full buckets are kept: %d", len(th.addresses.of))
	}
}

func TestThrottleByText(t *testing.T) {
	now := time.Unix(1000, 0)
	th := NewThrottle(ThrottleConfig{Burst: 2, Every: time.Minute, Now: func() time.Time { return now }})
	for i := range 2 {
		if _, throttled := th.Failed(addr(fmt.Sprintf("192.0.2.%d", i)), "the same"); throttled {
			t.Fatal("throttled too soon")
		}
	}
	if after, throttled := th.Failed(addr("192.0.2.9"), "the same"); !throttled || after != time.Minute {
		t.Fatalf("a text that everybody tries: %v %v", after, throttled)
	}
	if _, throttled := th.Failed(addr("192.0.2.9"), "another"); throttled {
		t.Fatal("another text of that address is throttled")
	}
}

func TestThrottleTablesAreBounded(t *testing.T) {
	th := NewThrottle(ThrottleConfig{Burst: 1, Addresses: 4})
	first := addr("10.0.0.0")
	for a, i := first, 0; i < 10; a, i = a.Next(), i+1 {
		th.Failed(a, fmt.Sprint(i))
	}
	if len(th.addresses.of) != 4 || th.addresses.oldest.Len() != 4 || len(th.texts.of) != 4 || th.texts.oldest.Len() != 4 {
		t.Fatalf("%d addresses and %d texts are remembered", len(th.addresses.of), len(th.texts.of))
	}
	if _, throttled := th.Failed(first, "new"); throttled {
		t.Fatal("the oldest was not forgotten")
	}
	if _, throttled := th.Failed(addr("10.0.0.9"), "newer"); !throttled {
		t.Fatal("the newest was forgotten")
	}
}

func TestThrottleTakesANetworkOfIPv6ForOneClient(t *testing.T) {
	th := NewThrottle(ThrottleConfig{Burst: 1})
	th.Failed(addr("2001:db8:0:1::1"), "a")
	if _, throttled := th.Failed(addr("2001:db8:0:1:ffff::2%eth0"), "b"); !throttled {
		t.Error("the same /64 passed")
	}
	if _, throttled := th.Failed(addr("2001:db8:0:2::1"), "c"); throttled {
		t.Error("another /64 was throttled")
	}
	th.Failed(addr("::ffff:192.0.2.1"), "d")
	if _, throttled := th.Failed(addr("192.0.2.1"), "e"); !throttled {
		t.Error("an IPv4 address passed in its other form")
	}
	th.Failed(netip.Addr{}, "f") // a peer without address must not panic
}
