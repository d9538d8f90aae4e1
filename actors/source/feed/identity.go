package feed

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	tokens "github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// What makes two items of a feed the same article, as operators set it. Auto
// looks at what the feed does: most feeds mean their ids, and some never have.
const (
	byAuto      = "auto"
	byGUID      = "guid"       // the id, of whatever link
	byLink      = "link"       // the link, of whatever id
	byGUIDLink  = "guid_link"  // both
	byTitleDate = "title_date" // neither is to be trusted
)

// identities are what a feed remembers of its items: under which identity each
// is known, so that neither another policy nor new ids make a new article of it.
type identities struct {
	Policy  string  `json:"policy,omitempty"` // in force; "" nothing was read yet
	Set     bool    `json:"set,omitempty"`    // by an operator
	Decided int     `json:"decided,omitempty"`
	Known   []known `json:"known,omitempty"` // the newest last

	read []remembered // of the document that is read, the newest first
}

type remembered struct {
	known
	instead bool // of whatever was known of its link
}

// known is an item that was read: hashes, 0 for what it does not have.
type known struct {
	GUID     uint64 `json:"g,omitempty"`
	Base     uint64 `json:"b,omitempty"` // of an id that ends in #number, without that
	Link     uint64 `json:"l,omitempty"`
	Identity string `json:"i,omitempty"` // "" its URL
}

const (
	knownMost  = 500
	knownBytes = 48 << 10 // about; a mark is a small record
)

// sight is an item of the document that is read.
type sight struct {
	known
	title string
	moved bool // its link is known under another id, and that id is gone
	// shared: it has no id, and neither has another item of its link.
	shared bool
}

// look decides by which policy the document's items are told apart. fact is what
// the log is to hold where that is another one than before.
func (ids *identities) look(configured string, entries []*entry) (sights []sight, fact *messages.FeedIdentity, rekeyed bool) {
	for _, e := range entries {
		sights = append(sights, sightOf(e))
	}
	share(sights)
	policy, reason := ids.policyFor(configured, sights)
	if policy != ids.Policy || (configured != byAuto) != ids.Set {
		ids.Policy, ids.Set = policy, configured != byAuto
		ids.Decided++
		fact = &messages.FeedIdentity{Policy: policy, Reason: reason}
	}
	return sights, fact, ids.rekeyed(sights)
}

// share marks items without an id that share a link.
func share(sights []sight) {
	title, shared := map[uint64]string{}, map[uint64]bool{}
	for _, s := range sights {
		if s.GUID == 0 && s.Link != 0 {
			if first, ok := title[s.Link]; ok && first != s.title {
				shared[s.Link] = true
			} else {
				title[s.Link] = s.title
			}
		}
	}
	for i, s := range sights {
		sights[i].shared = s.GUID == 0 && shared[s.Link]
	}
}

func sightOf(e *entry) sight {
	s := sight{title: strings.TrimSpace(e.title.value.s)}
	if id := sameScheme(e.id); id != "" {
		s.GUID = tokens.Hash(id)
		if at := strings.LastIndexByte(id, '#'); at > 0 {
			if _, err := strconv.ParseUint(id[at+1:], 10, 64); err == nil {
				s.Base = tokens.Hash(id[:at])
			}
		}
	}
	if link := sameScheme(e.link.value.text); link != "" {
		s.Link = tokens.Hash(link)
	}
	return s
}

// sameScheme makes http and https one.
func sameScheme(s string) string {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "http://"); ok {
		return "https://" + rest
	}
	return s
}

// policyFor takes the operator's word, or what the document shows: a policy that
// was decided is left only for what shows that it does not work.
func (ids *identities) policyFor(configured string, sights []sight) (policy, reason string) {
	if configured != byAuto && configured != "" {
		return configured, "an operator has set it"
	}
	policy, reason = ids.evidence(sights)
	switch {
	case policy != "" && (ids.Policy == "" || ids.Set || ids.Policy == byGUID):
		return policy, reason
	case ids.Policy != "" && !ids.Set:
		return ids.Policy, ""
	case len(sights) == 0:
		return ids.Policy, ""
	}
	return byGUID, "nothing speaks against its ids"
}

// evidence is what speaks against plain ids.
func (ids *identities) evidence(sights []sight) (policy, reason string) {
	type pair struct{ guid, link uint64 }
	guids, links, pairs := map[uint64][]sight{}, map[uint64][]sight{}, map[pair][]sight{}
	for _, s := range sights {
		if s.GUID != 0 {
			guids[s.GUID] = append(guids[s.GUID], s)
		}
		if s.Link != 0 {
			links[s.Link] = append(links[s.Link], s)
		}
		if s.GUID != 0 {
			pairs[pair{s.GUID, s.Link}] = append(pairs[pair{s.GUID, s.Link}], s)
		}
	}
	differ := func(all []sight, by func(a, b sight) bool) bool {
		return slices.ContainsFunc(all, func(s sight) bool { return by(s, all[0]) })
	}
	titles := func(a, b sight) bool { return a.title != b.title }
	for _, all := range pairs {
		if differ(all, titles) {
			return byTitleDate, "several items have one id and one link"
		}
	}
	for _, all := range guids {
		if differ(all, func(a, b sight) bool { return a.Link != b.Link }) {
			return byGUIDLink, "one id is that of several links"
		}
	}
	if ids.numbered(links) {
		return byLink, "the ids of one link differ only in a number"
	}
	for _, all := range links {
		if differ(all, func(a, b sight) bool { return a.GUID != b.GUID && titles(a, b) }) {
			return byGUID, "several items share a link"
		}
	}
	return "", ""
}

// numbered says whether ids of a link differ only in a #number, here or since.
func (ids *identities) numbered(links map[uint64][]sight) bool {
	same := func(a, b known) bool { return a.Base != 0 && a.Base == b.Base && a.GUID != b.GUID && a.Link == b.Link }
	for _, all := range links {
		for _, s := range all {
			if same(s.known, all[0].known) {
				return true
			}
		}
	}
	return slices.ContainsFunc(ids.Known, func(k known) bool {
		return slices.ContainsFunc(links[k.Link], func(s sight) bool { return same(s.known, k) })
	})
}

// rekeyed says whether most known links have come back under new ids, and marks
// those: a publisher has moved to another system, and none of them is new.
func (ids *identities) rekeyed(sights []sight) bool {
	here, links := map[uint64]bool{}, map[uint64]int{}
	for _, s := range sights {
		here[s.GUID] = true
		links[s.Link]++
	}
	seen, moved := 0, 0
	for i, s := range sights {
		if s.Link == 0 || links[s.Link] > 1 {
			continue
		}
		same, other := false, false
		for _, k := range ids.Known {
			if k.Link == s.Link {
				same = same || k.GUID == s.GUID
				other = other || k.GUID != s.GUID && !here[k.GUID]
			}
		}
		if same || other {
			seen++
		}
		if other && !same {
			moved++
			sights[i].moved = true
		}
	}
	return moved >= 2 && 2*moved > seen
}

// identity is under which the item is known, or will be; "" its URL.
func (ids *identities) identity(e *entry, s sight, title string, rekeyed bool) string {
	k, ok := ids.find(s, rekeyed)
	identity := k.Identity
	switch {
	case s.shared && ids.Policy != byTitleDate:
		identity = "title|" + key(e.link.value.text) + "|" + title
	case !ok:
		identity = natural(ids.Policy, e, title)
	}
	s.known.Identity = strings.Clone(identity)
	ids.read = append(ids.read, remembered{s.known, rekeyed && s.moved})
	return identity
}

// find is the newest item that is the same by the policy.
func (ids *identities) find(s sight, rekeyed bool) (known, bool) {
	same := func(known) bool { return false }
	switch ids.Policy {
	case byGUID:
		same = func(k known) bool {
			return s.GUID != 0 && k.GUID == s.GUID || s.GUID == 0 && s.Link != 0 && k.GUID == 0 && k.Link == s.Link
		}
	case byLink:
		same = func(k known) bool { return s.Link != 0 && k.Link == s.Link }
	case byGUIDLink:
		same = func(k known) bool { return k.GUID == s.GUID && k.Link == s.Link && s.GUID|s.Link != 0 }
	}
	for _, k := range slices.Backward(ids.Known) {
		if same(k) || rekeyed && s.moved && k.Link == s.Link && ids.Policy != byTitleDate {
			return k, true
		}
	}
	return known{}, false
}

// remember takes in what was read. What an item was known as before its feed was
// keyed anew goes, and the oldest go where there are too many: the mark is small.
func (ids *identities) remember() {
	type pair struct{ guid, link uint64 }
	replaced, moved := map[pair]bool{}, map[uint64]bool{}
	for _, r := range ids.read {
		replaced[pair{r.GUID, r.Link}] = true
		moved[r.Link] = moved[r.Link] || r.instead
	}
	all := slices.DeleteFunc(ids.Known, func(k known) bool { return replaced[pair{k.GUID, k.Link}] || moved[k.Link] })
	for _, r := range slices.Backward(ids.read) {
		all = append(all, r.known)
	}
	ids.read = nil
	bytes, first := 0, 0
	for i := len(all) - 1; i >= 0; i-- {
		bytes += 60 + len(all[i].Identity)
		if bytes > knownBytes || len(all)-i > knownMost {
			first = i + 1
			break
		}
	}
	ids.Known = slices.Clone(all[first:])
}

// withdrawn are the identities of what a tombstone's id was known as.
func (ids *identities) withdrawn(id string) (all []string) {
	hash := tokens.Hash(sameScheme(id))
	for _, k := range ids.Known {
		if k.GUID == hash && k.Identity != "" && !slices.Contains(all, k.Identity) {
			all = append(all, k.Identity)
		}
	}
	if len(all) == 0 {
		all = append(all, "guid|"+key(sameScheme(id)))
	}
	return all
}

// natural is the identity of an item that is not known. "" is left to its URL.
func natural(policy string, e *entry, title string) string {
	id, link := sameScheme(e.id), sameScheme(e.link.value.text)
	dated := "title|" + key(title) + "|" + strconv.FormatInt(published(e), 10)
	switch policy {
	case byLink:
		if link != "" {
			return ""
		}
	case byGUIDLink:
		if id != "" && link != "" {
			return "both|" + key(id) + "|" + key(link)
		}
	case byTitleDate:
		return dated
	}
	switch {
	case id != "":
		return "guid|" + key(id)
	case link == "":
		return "title||" + title
	}
	return ""
}

// identityFact is the draft that tells the log of a decision. Its id is of the
// decision: read again after a crash, it is dropped.
func (f *Feed) identityFact(fact *messages.FeedIdentity, decided int) *messages.Event {
	fact.FeedId = f.cfg.ID
	return &messages.Event{Id: fmt.Sprintf("%s:identity:%d", f.cfg.ID, decided), Body: &messages.Event_FeedIdentity{FeedIdentity: fact}}
}
