package rest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// News is what is known of stories and articles.
type News interface {
	// Ask asks the newsdesk, wherever it is.
	Ask(ctx context.Context, question proto.Message) (proto.Message, error)
	// Events are those at the positions, nil where the log does not hold one any more.
	Events(ctx context.Context, positions []messages.Position) ([]*messages.Event, error)
	// Item is the last known state of an article, nil where it is not kept any more.
	Item(ctx context.Context, identity string) (*messages.Item, error)
}

const news = "/v1/news"

// registerNews adds the paths about stories.
func (s *Server) registerNews(mux gateway.Routes) {
	add := func(path string, serve http.HandlerFunc, parameters ...string) {
		mux.HandleFunc("GET "+news+path, func(w http.ResponseWriter, r *http.Request) {
			if s.reader(w, r) && gateway.Takes(w, r, parameters...) {
				serve(w, r)
			}
		})
	}
	add("/stories", s.listStories, "category", "priority", "since", "entity", "limit", "cursor")
	add("/stories/{id}", s.getStory)
	add("/articles/{id}", s.getArticle)
	add("/entities", s.listEntities, "limit")
}

// reader identifies who reads news: any key that may connect to newsrank, or
// read what is its own.
func (s *Server) reader(w http.ResponseWriter, r *http.Request) bool {
	key, ok := s.authorize(w, r, "")
	if !ok {
		return false
	}
	if len(key.Apis) > 0 && !slices.Contains(key.Apis, messages.Api_API_NEWSRANK) {
		s.refused(r, "the API key is not for this API")
		gateway.WriteError(w, http.StatusForbidden, "forbidden", "this API key is not for the newsrank API")
		return false
	}
	if !slices.ContainsFunc([]string{gateway.ScopeConnect, gateway.ScopeRead, gateway.ScopeRules}, func(scope string) bool { return slices.Contains(key.Scopes, scope) }) {
		s.refused(r, refusedWords[messages.Refusal_REFUSAL_SCOPE])
		forbidden(w, gateway.ScopeConnect)
		return false
	}
	return true
}

// askNews asks the newsdesk. A rejection is answered here, and nil comes back.
func (s *Server) askNews(w http.ResponseWriter, r *http.Request, question proto.Message) proto.Message {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	answer, err := s.cfg.News.Ask(ctx, question)
	if err != nil {
		s.resources.unavailable(w, r, err)
		return nil
	}
	if m, ok := answer.(*messages.Rejected); ok {
		writeRejected(w, m, nil)
		return nil
	}
	return answer
}

// storyCursor is a place in a list: which one, and after how many.
func storyCursor(list uint64, from uint32) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d", list, from))
}

func readStoryCursor(s string) (list uint64, from uint32, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, 0, false
	}
	a, b, _ := strings.Cut(string(text), ".")
	list, err = strconv.ParseUint(a, 10, 64)
	n, err2 := strconv.ParseUint(b, 10, 32)
	return list, uint32(n), err == nil && err2 == nil && list != 0
}

// pageMost is how many stories or entities a page has at most.
const pageMost = 100

func (s *Server) listStories(w http.ResponseWriter, r *http.Request) {
	p := gateway.ReadParameters(r)
	limit, _ := p.Window()
	q := &messages.ListStories{
		Category: p.Get("category"), Priority: p.OneOf("priority", "normal", "developing", "major", "breaking"), Limit: uint32(min(limit, pageMost)),
	}
	bad := p.Bad
	since, ok := moment(p.Get("since"))
	if !ok && bad == nil {
		bad = &gateway.Invalid{Field: "since", Reason: "must be a time, as 2026-03-04T12:00:00Z or in Unix milliseconds"}
	}
	q.SinceMs = since
	if text := p.Get("entity"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil && bad == nil {
			bad = &gateway.Invalid{Field: "entity", Reason: "must be an entity's number"}
		}
		q.Entity = n
	}
	if text := p.Get("cursor"); text != "" {
		if q.List, q.From, ok = readStoryCursor(text); !ok && bad == nil {
			bad = &gateway.Invalid{Field: "cursor", Reason: "is none that this server has given"}
		}
	}
	if bad != nil {
		gateway.WriteInvalid(w, bad)
		return
	}
	switch m := s.askNews(w, r, q).(type) {
	case nil:
	case *messages.StoriesListed:
		list := StoryList{Stories: make([]Story, 0, len(m.Stories)), Total: int(m.GetTotal()), AsOf: m.GetNowMs()}
		for i, f := range m.GetStories() {
			list.Stories = append(list.Stories, showStory(f, int(m.GetFrom())+i+1))
		}
		if m.GetNext() != 0 {
			next := storyCursor(m.GetList(), m.GetNext())
			list.Next = &next
		}
		writeTaggedBy(w, r, list, StoryList{Stories: list.Stories, Total: list.Total}) // the same stories are the same page, whenever it is
	default:
		s.resources.unexpected(w, r, q, m)
	}
}

// moment reads a time; "" is 0.
func moment(s string) (ms int64, ok bool) {
	if s == "" {
		return 0, true
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, n >= 0
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.UnixMilli(), err == nil
}

func (s *Server) getStory(w http.ResponseWriter, r *http.Request) {
	if m := s.story(w, r, r.PathValue("id")); m != nil {
		writeTagged(w, r, showWhole(m))
	}
}

// story asks for the story with the id as the client wrote it.
func (s *Server) story(w http.ResponseWriter, r *http.Request, id string) *messages.StoryDescribed {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		gateway.WriteError(w, http.StatusNotFound, "not_found", "a story's id is a number")
		return nil
	}
	q := &messages.GetStory{Id: n}
	switch m := s.askNews(w, r, q).(type) {
	case nil:
	case *messages.StoryDescribed:
		return m
	default:
		s.resources.unexpected(w, r, q, m)
	}
	return nil
}

func (s *Server) getArticle(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		gateway.WriteError(w, http.StatusNotFound, "not_found", "an article's id is a number")
		return
	}
	q := &messages.FindArticle{Number: number}
	found, ok := s.askNews(w, r, q).(*messages.ArticleFound)
	if !ok {
		return // answered
	}
	if found.GetStory() == 0 {
		gateway.WriteError(w, http.StatusNotFound, "not_found", "no story that lives has this article")
		return
	}
	m := s.story(w, r, strconv.FormatUint(found.GetStory(), 10))
	if m == nil {
		return
	}
	i := slices.IndexFunc(m.GetStory().GetKept(), func(a *messages.StoryArticle) bool { return a.GetNumber() == number })
	if i < 0 {
		gateway.WriteError(w, http.StatusNotFound, "not_found", "its story does not keep this article any more")
		return
	}
	s.article(w, r, m, m.GetStory().GetKept()[i])
}

// article tells all that is known of one.
func (s *Server) article(w http.ResponseWriter, r *http.Request, m *messages.StoryDescribed, a *messages.StoryArticle) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	positions := make([]messages.Position, len(a.GetPositions()))
	for i, p := range a.GetPositions() {
		positions[i] = messages.Position(p)
	}
	events, err := s.cfg.News.Events(ctx, positions)
	if err != nil {
		s.resources.unavailable(w, r, err)
		return
	}
	events = slices.DeleteFunc(events, func(e *messages.Event) bool { return e.GetArticle() == nil })
	var item *messages.Item
	if len(events) > 0 {
		if item, err = s.cfg.News.Item(ctx, events[len(events)-1].GetArticle().GetArticle().GetIdentity()); err != nil {
			s.resources.unavailable(w, r, err)
			return
		}
	}
	writeTagged(w, r, showArticle(m, a, events, item))
}

func (s *Server) listEntities(w http.ResponseWriter, r *http.Request) {
	p := gateway.ReadParameters(r)
	limit, _ := p.Window()
	if p.Bad != nil {
		gateway.WriteInvalid(w, p.Bad)
		return
	}
	q := &messages.ListEntities{Limit: uint32(min(limit, pageMost))}
	switch m := s.askNews(w, r, q).(type) {
	case nil:
	case *messages.EntitiesListed:
		writeTagged(w, r, showEntities(m))
	default:
		s.resources.unexpected(w, r, q, m)
	}
}

// writeTagged answers with v and its ETag; 304 to who has it already.
func writeTagged(w http.ResponseWriter, r *http.Request, v any) { writeTaggedBy(w, r, v, v) }

// writeTaggedBy is writeTagged where only a part of v makes it another.
func writeTaggedBy(w http.ResponseWriter, r *http.Request, v, part any) {
	text, err := json.Marshal(part)
	if err != nil {
		gateway.WriteError(w, http.StatusInternalServerError, "internal", "the answer could not be encoded")
		return
	}
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("Cache-Control", "private, no-cache") // ask again, with the tag
	w.Header().Set("ETag", tag)
	for given := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if given = strings.TrimPrefix(strings.TrimSpace(given), "W/"); given == tag || given == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	gateway.WriteJSON(w, http.StatusOK, v)
}
