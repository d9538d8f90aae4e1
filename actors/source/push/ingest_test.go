package push_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/messages"
)

// intake answers offers as answer says; by default everything is durable.
// It keeps how many were unanswered at most.
type intake struct {
	offers []*messages.Offer
	answer func(o *messages.Offer) (proto.Message, error)
	open   int
	most   int
}

func (i *intake) Offer(_ context.Context, o *messages.Offer) func() (proto.Message, error) {
	i.offers = append(i.offers, o)
	i.open++
	i.most = max(i.most, i.open)
	return func() (proto.Message, error) {
		i.open--
		if i.answer != nil {
			return i.answer(o)
		}
		return &messages.Appended{Id: o.GetId()}, nil
	}
}

func (i *intake) events() []*messages.Event {
	var all []*messages.Event
	for _, o := range i.offers {
		all = append(all, o.GetEvents()...)
	}
	return all
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newIngest(in *intake) *push.Ingest {
	return push.New(push.Config{Intake: in, Now: func() time.Time { return noon }})
}

func postJSON(id string) string {
	return fmt.Sprintf(`{"id":%q,"text":"hello","created_at":"2026-03-04T11:59:59Z","author":{"id":"1","username":"ada"}}`, id)
}

func ids(events []*messages.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, e.GetPost().GetId())
	}
	return strings.Join(all, " ")
}

func rejections(r push.Result) string {
	var all []string
	for _, x := range r.Rejected {
		all = append(all, fmt.Sprintf("%d: %s", x.Line, x.Error))
	}
	return strings.Join(all, "\n")
}

func TestForms(t *testing.T) {
	a, b, c := postJSON("a"), postJSON("b"), postJSON("c")
	pretty := strings.ReplaceAll(strings.ReplaceAll(a, ",", ",\n  "), "{", "{\n  ")
	long := `{"id":"long","text":"` + strings.Repeat("x", push.MaxValue) + `"}`
	for _, x := range []struct{ name, body, accepted, rejected string }{
		{"one object", a, "a", ""},
		{"one object, pretty", pretty, "a", ""},
		{"objects, pretty", pretty + "\n" + strings.Replace(pretty, `"a"`, `"b"`, 1), "a b", ""},
		{"array", "[" + a + "," + b + "]", "a b", ""},
		{"array, spread out", " [\n" + pretty + "\n,\n" + b + "\n]\n", "a b", ""},
		{"empty array", "[]", "", ""},
		{"lines", a + "\n" + b + "\n" + c, "a b c", ""},
		{"lines, last ended, CRLF, blank ones", a + "\r\n\r\n\n" + b + "\r\n", "a b", ""},
		{"byte order mark", "\xef\xbb\xbf" + a, "a", ""},
		{"empty", "", "", ""},
		{"space alone", " \n\t\n", "", ""},
		{"bad line in the middle", a + "\n{\"id\": oops}\n" + c, "a c", `2: not JSON: "oops" at character 8`},
		{"bad first line", "{\"id\": \"x\n" + b, "b", "1: not JSON: ends inside a value"},
		{"truncated line", a + "\n" + b[:30] + "\n" + c, "a c", "2: not JSON: ends inside a value"},
		{"two on a line", a + " " + b + "\n" + c, "c", `1: not JSON: "{" at character 100, after the end of the value`},
		{"no object", "7\n" + a, "a", "1: want an object, got the number 7"},
		{"words", "hello\n" + a, "a", `1: not JSON: "hello" at character 1`},
		{"bad element", "[" + a + ",7," + c + "]", "a c", "2: want an object, got the number 7"},
		{"comma missing", "[" + a + " " + b + "]", "a", "2: want ',' or ']' after element 1, got '{'"},
		{"comma at the end", "[" + a + ",]", "a", "2: an element is missing after the last ','"},
		{"array not ended", "[" + a + ",", "a", "2: the array does not end"},
		{"element not ended", "[" + a + "," + b[:40], "a", "2: the body ends inside a value"},
		{"text after array", "[" + a + "] x", "a", "2: text after the end of the array"},
		{"object not ended", "{\n\"id\":", "", "1: the body ends inside a value"},
		{"long line", a + "\n" + long + "\n" + c, "a c", "2: longer than 262144 bytes"},
		{"long last line", a + "\n" + long, "a", "2: longer than 262144 bytes"},
		{"long element", "[" + a + "," + long + "," + c + "]", "a c", "2: longer than 262144 bytes"},
		{"gzip", "\x1f\x8b\x08\x00\n" + a, "", "1: the body is gzip: send it with Content-Encoding: gzip"},
		{"UTF-16", "\xff\xfe{\x00}\x00\n", "", "1: the body is UTF-16: send UTF-8"},
		{"UTF-16 without a mark", "{\x00}\x00\n", "", "1: the body is UTF-16: send UTF-8"},
		{"word", "nope", "", `1: not JSON: "nope" at character 1`},
		{"string", `"hello"`, "", `1: want an object, got the string "hello"`},
		{"null", "null", "", "1: want an object, got null"},
		{"word in an array", "[" + a + ",nope]", "a", `2: not JSON: "nope" at character 1`},
		{"invalid UTF-8", a + "\n{\"id\":\"\xff\"}\n" + c, "a c", "2: not valid UTF-8"},
		{"deep", strings.Repeat(`{"a":`, 20_000) + strings.Repeat("}", 20_000) + "\n" + c, "c", "1: nested too deep"},
	} {
		t.Run(x.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(x.body), iotest.OneByteReader(strings.NewReader(x.body)), iotest.DataErrReader(strings.NewReader(x.body))} {
				in := &intake{}
				result, err := newIngest(in).Posts(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if got := ids(in.events()); got != x.accepted || result.Accepted != len(in.events()) {
					t.Errorf("accepted %q (%d), want %q", got, result.Accepted, x.accepted)
				}
				if got := rejections(result); !strings.HasPrefix(got, x.rejected) || (got == "") != (x.rejected == "") || strings.Contains(got, "\n") {
					t.Errorf("rejected %q, want %q", got, x.rejected)
				}
			}
		})
	}
}

func TestOffersAreBoundedAndInOrder(t *testing.T) {
	in := &intake{}
	var body strings.Builder
	for n := range 3000 {
		body.WriteString(postJSON(fmt.Sprint(n)) + "\n")
	}
	result, err := newIngest(in).Posts(t.Context(), strings.NewReader(body.String()))
	if err != nil || result.Accepted != 3000 || len(result.Rejected) != 0 || result.Rejected == nil {
		t.Fatalf("%+v, %v", result, err)
	}
	for n, e := range in.events() {
		if e.GetId() != fmt.Sprintf("push:post:%d:1", n) || e.GetSource() != "push" || e.GetDetectedMs() != noon.UnixMilli() {
			t.Fatalf("event %d is %v", n, e)
		}
	}
	for n, o := range in.offers {
		if len(o.GetEvents()) > 256 || o.GetId() != uint64(n+1) {
			t.Errorf("offer %d: id %d, %d events", n, o.GetId(), len(o.GetEvents()))
		}
	}
	if in.most != 4 {
		t.Errorf("%d offers unanswered at most, want 4", in.most)
	}
	if in.open != 0 {
		t.Errorf("%d offers left unanswered", in.open)
	}
}

func TestBigEventsMakeSmallOffers(t *testing.T) {
	in := &intake{}
	big := strings.Replace(postJSON("a"), "hello", strings.Repeat("x", 20_000), 1)
	if _, err := newIngest(in).Posts(t.Context(), strings.NewReader(strings.Repeat(big+"\n", 40))); err != nil {
		t.Fatal(err)
	}
	for _, o := range in.offers {
		if n := proto.Size(o); n > 256<<10 {
			t.Errorf("offer of %d bytes", n)
		}
	}
}

func TestDuplicatesAreCounted(t *testing.T) {
	in := &intake{answer: func(o *messages.Offer) (proto.Message, error) {
		return &messages.Appended{Id: o.GetId(), Duplicates: []uint32{1}}, nil
	}}
	result, err := newIngest(in).Posts(t.Context(), strings.NewReader(postJSON("a")+"\n"+postJSON("a")+"\n"+postJSON("b")))
	if err != nil || result.Accepted != 2 || result.Duplicates != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestBackpressure(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(o *messages.Offer) (proto.Message, error)
		status int
		after  time.Duration
	}{
		{"busy", func(o *messages.Offer) (proto.Message, error) {
			return &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY, RetryAfterMs: 250, Detail: "busy"}, nil
		}, 503, 250 * time.Millisecond}, // a part was taken
		{"disk full", func(o *messages.Offer) (proto.Message, error) {
			return &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_DISK_FULL, RetryAfterMs: 5000}, nil
		}, 503, 5 * time.Second},
		{"stopping", func(o *messages.Offer) (proto.Message, error) {
			return &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_STOPPING}, nil
		}, 503, time.Millisecond},
		{"no answer", func(*messages.Offer) (proto.Message, error) {
			return nil, errors.New("timeout")
		}, 503, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &intake{answer: func(o *messages.Offer) (proto.Message, error) {
				if o.GetId() == 2 {
					return c.answer(o)
				}
				return &messages.Appended{Id: o.GetId()}, nil
			}}
			var body strings.Builder
			for n := range 2560 {
				body.WriteString(postJSON(fmt.Sprint(n)) + "\n")
			}
			body.WriteString("oops")
			result, err := newIngest(in).Posts(t.Context(), strings.NewReader(body.String()))
			var b *push.Backpressure
			if !errors.As(err, &b) || b.Status != c.status || b.RetryAfter != c.after {
				t.Fatalf("error %v", err)
			}
			// Offers 3 to 5 were on their way when the second was refused; no more were made.
			if result.Accepted != 4*256 || b.Result.Accepted != result.Accepted || len(in.offers) != 5 || in.open != 0 {
				t.Errorf("%+v with %d offers, %d open", result, len(in.offers), in.open)
			}
		})
	}
}

// Nothing is offered after the first offer before it is answered: refused, it
// leaves nothing taken and the client is told 429.
func TestTheFirstOfferIsAlone(t *testing.T) {
	in := &intake{answer: func(o *messages.Offer) (proto.Message, error) {
		return &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY, RetryAfterMs: 250, Detail: "busy"}, nil
	}}
	var body strings.Builder
	body.WriteString("nope\n\n{}\n")
	for n := range 2560 {
		body.WriteString(postJSON(fmt.Sprint(n)) + "\n")
	}
	result, err := newIngest(in).Posts(t.Context(), strings.NewReader(body.String()))
	var b *push.Backpressure
	if !errors.As(err, &b) || b.Status != 429 || len(in.offers) != 1 || in.offers[0].GetContinues() {
		t.Fatalf("%v after %d offers", err, len(in.offers))
	}
	if result.Accepted != 0 || result.Next != 4 || rejections(result) != "1: not JSON: \"nope\" at character 1\n3: id: missing" {
		t.Errorf("%+v", result)
	}
}

// Where a body ends early the answer says what was taken, and from where to go
// on: a client that does so loses nothing and sends nothing twice.
func TestFromWhereToGoOn(t *testing.T) {
	pretty := func(id string) string { return strings.ReplaceAll(postJSON(id), ",", ",\n") }
	for name, c := range map[string]struct {
		body func(from int) string // from the line or element on
		all  int
	}{
		"lines": {func(from int) string {
			var b strings.Builder
			for n := from; n <= 2000; n++ {
				switch n % 100 {
				case 7:
					b.WriteString("\n")
				case 8:
					b.WriteString("nope\n")
				default:
					b.WriteString(postJSON(fmt.Sprint(n)) + "\n")
				}
			}
			return b.String()
		}, 2000 - 40},
		"array": {func(from int) string {
			var list []string
			for n := from; n <= 2000; n++ {
				list = append(list, postJSON(fmt.Sprint(n)))
			}
			return "[" + strings.Join(list, ",\n") + "]"
		}, 2000},
		"objects": {func(from int) string {
			var all []string
			for n := 1; n <= 2000; n++ {
				all = append(all, strings.Split(pretty(fmt.Sprint(n)), "\n")...)
			}
			return strings.Join(all[from-1:], "\n")
		}, 2000},
	} {
		for refuse := range 9 {
			for _, taken := range []int{0, 1, 100} {
				seen := map[string]int{}
				in := &intake{}
				in.answer = func(o *messages.Offer) (proto.Message, error) {
					n := len(o.GetEvents())
					refused := len(in.offers) <= 9 && o.GetId() == uint64(refuse+1)
					if refused {
						n = min(taken, n-1)
					}
					for _, e := range o.GetEvents()[:n] {
						seen[e.GetId()]++
					}
					if refused {
						return &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY, Taken: uint32(n)}, nil
					}
					if o.GetId() > uint64(refuse+1) && len(in.offers) <= 9 { // what follows is refused as well
						for _, e := range o.GetEvents()[:n] {
							seen[e.GetId()]--
						}
						return &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY}, nil
					}
					return &messages.Appended{Id: o.GetId()}, nil
				}
				first, err := newIngest(in).Posts(t.Context(), strings.NewReader(c.body(1)))
				accepted := first.Accepted
				var b *push.Backpressure
				if errors.As(err, &b) {
					if (b.Status == 429) != (accepted == 0) {
						t.Errorf("%s, offer %d, %d of it taken: %d with %d accepted", name, refuse+1, taken, b.Status, accepted)
					}
					in.offers = make([]*messages.Offer, 100)
					second, err := newIngest(in).Posts(t.Context(), strings.NewReader(c.body(first.Next)))
					if err != nil {
						t.Fatal(err)
					}
					accepted += second.Accepted
				} else if first.Next != 0 {
					t.Errorf("%s: next line %d of a whole body", name, first.Next)
				}
				if accepted != c.all {
					t.Errorf("%s, offer %d, %d of it taken: %d accepted in all, want %d", name, refuse+1, taken, accepted, c.all)
				}
				for id, n := range seen {
					if n != 1 {
						t.Fatalf("%s, offer %d, %d of it taken: %s came %d times", name, refuse+1, taken, id, n)
					}
				}
			}
		}
	}
}

func TestBodyTooLargeAndBroken(t *testing.T) {
	in := &intake{}
	ingest := push.New(push.Config{Intake: in, MaxBody: 1000, Now: time.Now})
	body := strings.Repeat(postJSON("a")+"\n", 100)
	for _, r := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body))} {
		result, err := ingest.Posts(t.Context(), r)
		if want := 1000 / (len(body) / 100); !errors.Is(err, push.ErrTooLarge) || result.Accepted != want || result.Next != want+1 {
			t.Errorf("%+v, %v; want %d taken", result, err, want)
		}
	}
	in = &intake{}
	broken := io.MultiReader(strings.NewReader(postJSON("a")+"\n"+postJSON("b")), iotest.ErrReader(errors.New("reset")))
	result, err := newIngest(in).Posts(t.Context(), broken)
	if err == nil || !strings.Contains(err.Error(), "reset") || result.Accepted != 1 || result.Next != 2 {
		t.Errorf("half a line was taken, or its error lost: %+v, %v", result, err)
	}
}

func TestRejectionsAreBounded(t *testing.T) {
	result, err := newIngest(&intake{}).Posts(t.Context(), strings.NewReader(strings.Repeat("{}\n", 5000)))
	if err != nil || len(result.Rejected) != 1000 || result.Unlisted != 4000 || result.Rejected[999].Line != 1000 {
		t.Errorf("%d rejections, %d unlisted, %v", len(result.Rejected), result.Unlisted, err)
	}
}

func TestDelete(t *testing.T) {
	in := &intake{answer: func(o *messages.Offer) (proto.Message, error) {
		if o.GetEvents()[0].GetArticle().GetArticle().GetId() == "gone" {
			return &messages.Appended{Id: o.GetId(), Duplicates: []uint32{0}}, nil
		}
		return &messages.Appended{Id: o.GetId()}, nil
	}}
	ingest := newIngest(in)
	if err := ingest.DeleteArticle(t.Context(), "bbc", "7"); err != nil {
		t.Error(err)
	}
	e := in.events()[0].GetArticle()
	if e.GetAction() != messages.ArticleAction_ARTICLE_DELETED || e.GetArticle().GetSourceId() != "bbc" || e.GetArticle().GetId() != "7" {
		t.Errorf("offered %v", e)
	}
	if err := ingest.DeleteArticle(t.Context(), "", "gone"); !errors.Is(err, messages.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	in.answer = func(*messages.Offer) (proto.Message, error) { return nil, errors.New("timeout") }
	var b *push.Backpressure
	if err := ingest.DeleteArticle(t.Context(), "", "7"); !errors.As(err, &b) || b.Status != 503 {
		t.Errorf("error %v", err)
	}
}

func TestArticles(t *testing.T) {
	in := &intake{}
	body := articleJSON(`,"id":"1"`) + "\n{\"title\":\"no url\"}\n" + articleJSON(`,"id":"2","embedding":`+numbers(1536, "0.1"))
	result, err := newIngest(in).Articles(t.Context(), strings.NewReader(body))
	if err != nil || result.Accepted != 2 || rejections(result) != "2: url: missing" {
		t.Fatalf("%+v, %v", result, err)
	}
	for n, e := range in.events() {
		c := e.GetArticle()
		// Ids, numbers and times are the push source's to give, from the item table.
		if c.GetAction() != messages.ArticleAction_ARTICLE_ACTION_UNSPECIFIED || c.GetArticle().GetId() != fmt.Sprint(n+1) || e.GetId() != "" {
			t.Errorf("draft %v", e)
		}
	}
}
