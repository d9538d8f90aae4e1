package assembly

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/messages"
)

// looked is what one look at the store brought.
type looked struct {
	of       *lease
	wrote    *messages.Lease // nil: the record was not to be renewed, or could not be
	began    actors.Instant  // before that write
	revision uint64
	replaced bool // the record is a later process's
	reading  membership.Reading
	err      error
}

// looking writes the node's record, where there is one to write, and then reads
// all: the reading has the write in it.
func looking(of *lease, record *messages.Lease) func(context.Context) any {
	records, clock := of.node.stored, of.clock
	asked := clock.Elapsed()
	return func(ctx context.Context) any {
		l := &looked{of: of, began: clock.Elapsed()}
		if l.began-asked > lookTime { // the process was suspended: what the record says is of before
			l.err = errWaited
			return l
		}
		if record != nil {
			l.revision, l.replaced, l.err = renew(ctx, records, clock, record)
			if l.err == nil && !l.replaced {
				l.wrote = record
			}
		}
		if l.err == nil {
			l.reading, l.err = readLeases(ctx, records, clock)
		}
		return l
	}
}

var errWaited = errors.New("the look at the cluster's records waited for too long")

const renewTries = 3

// renew writes the record in the place of what this process or an earlier one of
// the node wrote.
func renew(ctx context.Context, records actors.Records, clock actors.Clock, record *messages.Lease) (revision uint64, replaced bool, err error) {
	name := actors.LeaseRecord(record.GetNode())
	for range renewTries {
		kept, failed := records.Get(ctx, name)
		damaged := errors.Is(failed, messages.ErrDamaged)
		if failed != nil && !damaged && !errors.Is(failed, messages.ErrNotFound) {
			return 0, false, fmt.Errorf("renew the lease: %w", failed)
		}
		before := &messages.Lease{}
		if unread := proto.Unmarshal(kept.Data, before); unread != nil {
			before.Reset()
		}
		if before.GetIncarnation() > record.GetIncarnation() {
			return 0, true, nil
		}
		// When the node joined is what decides between cores of one size, so it is
		// kept for as long as there is a record.
		if record.BeganMs = before.GetBeganMs(); record.BeganMs == 0 {
			record.BeganMs = clock.Now().UnixMilli()
		}
		data, failed := proto.Marshal(record)
		if failed != nil {
			return 0, false, fmt.Errorf("renew the lease: %w", failed)
		}
		if damaged {
			revision, err = records.Mend(ctx, name, data)
		} else {
			revision, err = records.CAS(ctx, name, data, kept.Revision)
		}
		if err == nil {
			return revision, false, nil
		}
	}
	return 0, false, fmt.Errorf("renew the lease: %w", err)
}

func readLeases(ctx context.Context, records actors.Records, clock actors.Clock) (r membership.Reading, err error) {
	r.Began = clock.Elapsed()
	all, err := records.List(ctx, actors.LeasesPrefix)
	if err != nil {
		return r, fmt.Errorf("read the leases: %w", err)
	}
	r.Ended = clock.Elapsed()
	for _, kept := range all {
		if kept.Newer { // its node is a member, and this one cannot say which
			return r, fmt.Errorf("read the leases: %w", kept.Unread())
		}
		l := &messages.Lease{}
		if kept.Damaged || proto.Unmarshal(kept.Data, l) != nil {
			continue // its node writes it again; if it does not, it is no member
		}
		r.Records = append(r.Records, membership.Record{
			Name: l.GetNode(), Incarnation: l.GetIncarnation(), Version: l.GetVersion(), Began: l.GetBeganMs(),
			Reaches: l.GetReaches(), Without: l.GetWithout(), Leaving: l.GetLeaving(), Unfit: l.GetUnfit(), Revision: kept.Revision,
		})
	}
	return r, nil
}
