package main

import (
	"net"
	"strings"
)

// supervisorSocket names the datagram socket of whoever supervises the process, as
// systemd's sd_notify(3) has it; a '@' at its beginning is an abstract one.
const supervisorSocket = "NOTIFY_SOCKET"

// tellSupervisor says how the process is to systemd, where that started it with
// Type=notify: lines of VARIABLE=VALUE. Nobody answers, and nothing depends on it.
func (s *server) tellSupervisor(state string) {
	for _, e := range s.environ {
		name, found := strings.CutPrefix(e, supervisorSocket+"=")
		if !found || name == "" {
			continue
		}
		c, err := net.Dial("unixgram", name)
		if err == nil {
			_, err = c.Write([]byte(state))
			_ = c.Close() // a datagram was sent or was not
		}
		if err != nil {
			s.log.Warn("the supervisor is not told how the process is", "socket", name, "error", err)
		}
	}
}
