package node

import (
	"net"
	"testing"
)

// reaches says whether a listener answers at its port of host.
func reaches(t *testing.T, l net.Listener, network, host string) bool {
	t.Helper()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial(network, net.JoinHostPort(host, port))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func TestListen(t *testing.T) {
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	_ = six.Close()
	for addr, want := range map[string]struct{ four, six bool }{
		"0.0.0.0:0":            {true, false},
		"127.0.0.1:0":          {true, false},
		"[::]:0":               {true, true},
		":0":                   {true, true},
		"[::1]:0":              {false, true},
		"[::ffff:127.0.0.1]:0": {true, false},
	} {
		l, err := listen(addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if four, six := reaches(t, l, "tcp4", "127.0.0.1"), reaches(t, l, "tcp6", "::1"); four != want.four || six != want.six {
			t.Errorf("%s (%s) is reached over IPv4: %v, over IPv6: %v; want %v, %v", addr, l.Addr(), four, six, want.four, want.six)
		}
		_ = l.Close()
	}
	for _, bad := range []string{"0.0.0.0", "1.2.3.4.5:0", "[::1:0"} {
		if l, err := listen(bad); err == nil {
			_ = l.Close()
			t.Errorf("%s is listened on", bad)
		}
	}
}
