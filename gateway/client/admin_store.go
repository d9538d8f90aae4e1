package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// StoredStream is what a part of the store holds after it was restored.
type StoredStream struct {
	Stream   string `json:"stream"` // journal | control | items | snapshots
	Messages uint64 `json:"messages"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	SHA256   string `json:"sha256"`
}

// StoreFinding is one thing that an audit of the nodes' copies found.
type StoreFinding struct {
	Node   string `json:"node"` // whose copy it is
	Stream string `json:"stream"`
	File   string `json:"file,omitempty"`
	What   string `json:"what"`
}

// Backup writes all that the server keeps, as one file, to w. progress is told how
// many bytes have come, of about so many. What ended early is an error; the file is
// of no use then. It takes as long as the store is large, within ctx alone.
func (a *Admin) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	res, err := a.caller.do(ctx, http.MethodGet, "/admin/v1/store/backup", nil, http.Header{}, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	total, _ := strconv.ParseInt(res.Header.Get("Birdwire-Backup-Bytes"), 10, 64) // a guess is all it is
	_, err = io.Copy(w, &reported{r: res.Body, total: total, progress: progress})
	if err != nil {
		return a.caller.unreachable(err, mostOf(ctx))
	}
	return nil
}

// Restore puts a backup in the place of what the server keeps, and returns what is
// there then. Without replace it is refused where there is something. Every node of
// the cluster must be started again afterwards.
func (a *Admin) Restore(ctx context.Context, r io.Reader, size int64, replace bool, progress func(done, total int64)) ([]StoredStream, error) {
	query := url.Values{}
	if replace {
		query.Set("replace", "true")
	}
	var out struct {
		Streams []StoredStream `json:"streams"`
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	err := a.caller.send(ctx, http.MethodPost, "/admin/v1/store/restore", query, header, &reported{r: r, total: size, progress: progress}, &out)
	return out.Streams, err
}

// Audit has the nodes of a cluster read their copies of all that is kept, and
// compares them. No finding: they agree. It takes as long as reading them does,
// within ctx alone.
func (a *Admin) Audit(ctx context.Context) ([]StoreFinding, error) {
	var out struct {
		Findings []StoreFinding `json:"findings"`
	}
	err := a.caller.send(ctx, http.MethodPost, "/admin/v1/store/audit", nil, http.Header{}, nil, &out)
	return out.Findings, err
}

// reported tells how much of it was read.
type reported struct {
	r           io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (r *reported) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.done += int64(n)
	r.progress(r.done, max(r.total, r.done))
	return n, err
}
