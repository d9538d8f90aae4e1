package ws

// Unwatch has every connection keep a goroutine, as where there is no epoll.
func (s *Server) Unwatch() {
	s.watcher.close()
	s.watcher = nil
}
