package upstreams

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/messages"
)

// registry are the records of the feeds. No two feeds have one address, also
// where two nodes make them at the same time; a look at the others before the
// write does not see what another node is writing. So an address is a record of
// its own, and is taken in three writes, each by compare-and-set:
//
//	the feed says what address it is claiming
//	the address's claim names the feed
//	the feed has the address, and claims nothing
//
// A claim counts if the feed that it names has that address or is claiming it;
// every other one is left over, and the next that wants the address takes it.
// Whoever dies between two writes leaves nothing that blocks an address, and
// what it left is finished or taken back at the next start (settle).
//
// It is called inside Workers, by one change at a time on each node.
type registry struct{ records actors.Records }

// record is a feed's record. Of a damaged one nothing but its id is known.
type record struct {
	feed     *messages.Feed
	revision uint64
	damaged  error
}

// takenError: another feed has the address.
type takenError struct{ by string }

func (e *takenError) Error() string { return fmt.Sprintf("feed %s has that address", e.by) }

// claimTries is how often a claim that others keep writing is tried for.
const claimTries = 16

func (r registry) get(ctx context.Context, id string) (record, error) {
	if !actors.ValidID(id) {
		return record{}, fmt.Errorf("feed %q: %w", id, messages.ErrNotFound)
	}
	kept, err := r.records.Get(ctx, actors.FeedRecord(id))
	if err != nil && !errors.Is(err, messages.ErrDamaged) {
		return record{}, fmt.Errorf("feed %s: %w", id, err)
	}
	return read(id, kept.Data, kept.Revision, err), nil
}

func read(id string, data []byte, revision uint64, damaged error) record {
	feed := new(messages.Feed)
	if damaged == nil {
		damaged = proto.Unmarshal(data, feed)
	}
	if damaged != nil {
		return record{&messages.Feed{Id: id}, revision, fmt.Errorf("its record is damaged: delete the feed and make it again: %w", damaged)}
	}
	return record{feed: feed, revision: revision}
}

// list returns all feeds, in order of creation, those that are not made yet
// too.
func (r registry) list(ctx context.Context) ([]record, error) {
	records, err := r.records.List(ctx, actors.FeedsPrefix)
	if err != nil {
		return nil, fmt.Errorf("list feeds: %w", err)
	}
	all := make([]record, len(records))
	for i, one := range records {
		if one.Newer {
			return nil, fmt.Errorf("list feeds: %w", one.Unread())
		}
		all[i] = read(strings.TrimPrefix(one.Key, actors.FeedsPrefix), one.Data, one.Revision, one.Unread())
	}
	slices.SortStableFunc(all, func(a, b record) int { return cmp.Compare(a.feed.GetCreatedMs(), b.feed.GetCreatedMs()) })
	return all, nil
}

// made: a feed that is not has no address yet.
func (s record) made() bool { return s.damaged != nil || s.feed.GetUrl() != "" }

func (r registry) write(ctx context.Context, feed *messages.Feed, revision uint64) (record, error) {
	data, err := proto.Marshal(feed)
	if err != nil {
		return record{}, fmt.Errorf("feed %s: %w", feed.GetId(), err)
	}
	written, err := r.records.CAS(ctx, actors.FeedRecord(feed.GetId()), data, revision)
	if errors.Is(err, messages.ErrAmbiguous) { // it may have happened: the record says
		now, getErr := r.get(ctx, feed.GetId())
		if getErr == nil && proto.Equal(now.feed, feed) {
			return now, nil
		}
	}
	if err != nil {
		return record{}, fmt.Errorf("write feed %s: %w", feed.GetId(), err)
	}
	return record{feed: feed, revision: written}, nil
}

// create makes the feed. messages.ErrConflict: there is one of that id;
// *takenError.
func (r registry) create(ctx context.Context, feed *messages.Feed) (record, error) {
	unmade := proto.CloneOf(feed)
	unmade.Url, unmade.Claiming = "", feed.GetUrl()
	s, err := r.write(ctx, unmade, 0)
	if err != nil {
		return record{}, err
	}
	return r.finish(ctx, s, feed)
}

// finish claims the address of a feed that is not made yet, and makes it.
func (r registry) finish(ctx context.Context, s record, feed *messages.Feed) (record, error) {
	if err := r.claim(ctx, feed.GetUrl(), feed.GetId()); err != nil {
		var taken *takenError
		if errors.As(err, &taken) {
			err = errors.Join(err, r.records.Delete(ctx, actors.FeedRecord(feed.GetId()), s.revision))
		}
		return record{}, err
	}
	return r.write(ctx, feed, s.revision)
}

// update replaces the feed whose record has the revision. messages.ErrConflict:
// it has another; *takenError.
func (r registry) update(ctx context.Context, feed *messages.Feed, revision uint64) (record, error) {
	before, err := r.get(ctx, feed.GetId())
	if err != nil {
		return record{}, err
	}
	if before.damaged != nil {
		return record{}, fmt.Errorf("update feed %s: %w", feed.GetId(), before.damaged)
	}
	if before.revision != revision {
		return record{}, fmt.Errorf("update feed %s: %w", feed.GetId(), messages.ErrConflict)
	}
	if address(before.feed.GetUrl()) == address(feed.GetUrl()) {
		return r.write(ctx, feed, revision)
	}
	claiming := proto.CloneOf(before.feed)
	claiming.Claiming = feed.GetUrl()
	s, err := r.write(ctx, claiming, revision)
	if err != nil {
		return record{}, err
	}
	if err := r.claim(ctx, feed.GetUrl(), feed.GetId()); err != nil {
		_, undo := r.write(ctx, before.feed, s.revision)
		return record{}, errors.Join(err, undo)
	}
	if s, err = r.write(ctx, feed, s.revision); err != nil {
		return record{}, err
	}
	return s, r.release(ctx, before.feed.GetUrl(), feed.GetId())
}

// remove deletes the feed, and then its claim and its source's mark. Where the
// feed is deleted and one of those is not, left says why: they are swept later.
func (r registry) remove(ctx context.Context, id string) (left, err error) {
	s, err := r.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := r.erase(ctx, actors.FeedRecord(id), s.revision, errors.Is(s.damaged, messages.ErrDamaged)); err != nil {
		return nil, fmt.Errorf("delete feed %s: %w", id, err)
	}
	if s.damaged == nil { // under an address that is not known the claim counts for nothing
		left = r.release(ctx, s.feed.GetUrl(), id)
	}
	return errors.Join(left, r.forgetMark(ctx, id)), nil
}

// erase deletes a record, also one that is damaged: the store deletes only what
// it can read. An uncertain deletion is looked after.
func (r registry) erase(ctx context.Context, name string, revision uint64, damaged bool) (err error) {
	if damaged {
		if revision, err = r.records.Mend(ctx, name, nil); err != nil {
			return err
		}
	}
	err = r.records.Delete(ctx, name, revision)
	if errors.Is(err, messages.ErrAmbiguous) {
		if _, now := r.records.Get(ctx, name); errors.Is(now, messages.ErrNotFound) {
			return nil
		}
	}
	return err
}

func (r registry) forgetMark(ctx context.Context, id string) error {
	name := actors.MarkRecord(id)
	kept, err := r.records.Get(ctx, name)
	if err == nil || errors.Is(err, messages.ErrDamaged) {
		err = r.erase(ctx, name, kept.Revision, err != nil)
	}
	return unless(err, messages.ErrNotFound)
}

// claim has the address named as the feed's. The record is written also where
// it names the feed already: another may be about to take it as left over.
func (r registry) claim(ctx context.Context, url, id string) error {
	name := claimRecord(url)
	data, err := proto.Marshal(&messages.Claim{FeedId: id})
	if err != nil {
		return err
	}
	for range claimTries {
		holder, revision, err := r.holder(ctx, name)
		if err != nil {
			return err
		}
		if holder != "" && holder != id {
			other, err := r.get(ctx, holder)
			switch {
			case err == nil && (address(other.feed.GetUrl()) == address(url) || address(other.feed.GetClaiming()) == address(url)):
				return &takenError{holder}
			case err != nil && !errors.Is(err, messages.ErrNotFound):
				return err
			}
		}
		_, err = r.records.CAS(ctx, name, data, revision)
		if errors.Is(err, messages.ErrDamaged) {
			_, err = r.records.Mend(ctx, name, data)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, messages.ErrConflict) && !errors.Is(err, messages.ErrAmbiguous) {
			return fmt.Errorf("claim the address of feed %s: %w", id, err)
		}
	}
	return fmt.Errorf("claim the address of feed %s: others keep writing it", id)
}

// holder is the feed that the claim names; "" where there is none or it cannot
// be read.
func (r registry) holder(ctx context.Context, name string) (id string, revision uint64, err error) {
	kept, err := r.records.Get(ctx, name)
	if err != nil {
		return "", 0, unless(err, messages.ErrNotFound, messages.ErrDamaged)
	}
	claim := new(messages.Claim)
	if err := proto.Unmarshal(kept.Data, claim); err != nil {
		return "", kept.Revision, nil // damaged: whoever wants the address writes it
	}
	return claim.GetFeedId(), kept.Revision, nil
}

// release deletes the feed's claim, if it is the feed's.
func (r registry) release(ctx context.Context, url, id string) error {
	name := claimRecord(url)
	holder, revision, err := r.holder(ctx, name)
	if err != nil || holder != id {
		return err
	}
	return unless(r.records.Delete(ctx, name, revision), messages.ErrConflict, messages.ErrNotFound)
}

// settle finishes or takes back what a process that died left under way, and
// claims the addresses of feeds that have no claim: versions before this one
// made none. It returns the feeds that are made. twice are those whose address
// another had first.
func (r registry) settle(ctx context.Context) (made []record, twice []string, err error) {
	all, err := r.list(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range all {
		if s.damaged == nil {
			s, err = r.settled(ctx, s)
		}
		var taken *takenError
		switch {
		case err == nil:
			made = append(made, s)
		case errors.As(err, &taken) && s.made():
			made, twice, err = append(made, s), append(twice, s.feed.GetId()), nil
		case errors.As(err, &taken):
			err = nil // it was told that it cannot be made, and is gone
		default:
			return nil, nil, err
		}
	}
	return made, twice, nil
}

func (r registry) settled(ctx context.Context, s record) (record, error) {
	whole, claiming := proto.CloneOf(s.feed), s.feed.GetClaiming()
	if whole.Claiming = ""; !s.made() {
		whole.Url = claiming
		return r.finish(ctx, s, whole)
	}
	if claiming != "" { // what else the change was to be is not known
		written, err := r.write(ctx, whole, s.revision)
		if err != nil {
			return s, err
		}
		if s = written; address(claiming) != address(whole.GetUrl()) {
			if err := r.release(ctx, claiming, whole.GetId()); err != nil {
				return s, err
			}
		}
	}
	holder, _, err := r.holder(ctx, claimRecord(whole.GetUrl()))
	if err != nil || holder == whole.GetId() {
		return s, err
	}
	return s, r.claim(ctx, whole.GetUrl(), whole.GetId())
}

// address is what two ways of writing one address have in common: as browsers
// write it, without the fragment, which is not sent.
func address(url string) string {
	u, err := weburl.Parse(url)
	if err != nil {
		return url
	}
	text, _, _ := strings.Cut(u.String(), "#")
	return text
}

func claimRecord(url string) string {
	sum := sha256.Sum256([]byte(address(url)))
	return actors.ClaimRecord(hex.EncodeToString(sum[:16]))
}

// unless is err, or nil where it is one of those that do not matter.
func unless(err error, known ...error) error {
	for _, k := range known {
		if errors.Is(err, k) {
			return nil
		}
	}
	return err
}
