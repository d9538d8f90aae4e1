package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fatih/color"

	"github.com/birdwire/birdwire/gateway/client"
)

// headlines are what stories were last called, for the events that name a story
// by its number alone. A story begins with the number of its first article.
// Past headlinesMost all are forgotten: the next ranking names them again.
type headlines map[int64]string

const headlinesMost = 4096

func (h *headlines) note(id int64, headline string) {
	if *h == nil || len(*h) >= headlinesMost {
		*h = headlines{}
	}
	(*h)[id] = headline
}

func (h headlines) of(id int64) string {
	if s := h[id]; s != "" {
		return s
	}
	return fmt.Sprint("story ", id)
}

// storyParts draws the events of newsrank; nil for any other.
func (s *screen) storyParts(m client.Message) []part {
	switch e := m.Event.(type) {
	case *client.Item:
		kind := "new"
		if e.Enriched {
			kind = "enriched"
		} else {
			s.headlines.note(e.Data.ID, e.Data.Title)
		}
		return []part{{s.good, kind}, {s.who, e.Data.SourceName}, {s.mark, e.Data.Category}, {nil, e.Data.Title}, {s.time, e.Data.URL}}
	case *client.ClustersRanked:
		return s.ranking(e)
	case *client.StoryDevelopment:
		s.headlines.note(e.Data.ClusterID, e.Data.Headline)
		parts := []part{{s.what, "development"}, {s.mark, e.Data.Significance}, {nil, e.Data.Title}}
		if e.Data.PreviousHeadline != e.Data.Title {
			parts = append(parts, part{s.time, "before: " + e.Data.PreviousHeadline})
		}
		return parts
	case *client.StoryPriorityChanged:
		s.headlines.note(e.Data.ClusterID, e.Data.Headline)
		return []part{
			{s.urgency(e.Data.NewPriority), strings.ToUpper(e.Data.NewPriority)},
			{s.time, "was " + e.Data.PreviousPriority},
			{s.mark, "score " + strconv.FormatFloat(e.Data.OverallScore, 'f', 0, 64)},
			{nil, e.Data.Headline},
		}
	case *client.ClusterEvent:
		return s.cluster(e)
	case *client.TickerNews:
		s.headlines.note(e.Data.ClusterID, e.Data.Headline)
		var symbols []string
		for _, t := range e.Data.Tickers {
			symbols = append(symbols, strings.TrimSpace(t.Symbol+" "+map[string]string{"positive": "▲", "negative": "▼"}[t.Sentiment]))
		}
		return []part{{s.what, "tickers"}, {s.mark, strings.Join(symbols, ", ")}, {nil, e.Data.Headline}}
	}
	return nil
}

// urgency is the color of a priority.
func (s *screen) urgency(priority string) *color.Color {
	switch priority {
	case "breaking":
		return s.bad
	case "normal":
		return s.time
	}
	return s.what
}

// ranking is the first stories, as many as there is room for.
func (s *screen) ranking(e *client.ClustersRanked) []part {
	parts := []part{{s.what, "ranked"}, {s.time, counted(len(e.Data), "story", "stories")}}
	room := max(24, (s.width-30)/3-6)
	for i, c := range e.Data {
		s.headlines.note(c.ID, c.Title)
		if i < 3 {
			parts = append(parts, part{s.urgency(c.Priority), fmt.Sprintf("%d. %s", c.Rank, clip(printable(c.Title), room))})
		}
	}
	return parts
}

func (s *screen) cluster(e *client.ClusterEvent) []part {
	d := e.Data
	articles := counted(int(d.Detail.MemberCount), "article", "articles")
	switch d.Action {
	case "create":
		return []part{{s.good, "story"}, {s.mark, articles}, {nil, s.headlines.of(d.ClusterID)}}
	case "merge":
		return []part{{s.what, "merged"}, {s.mark, articles}, {nil, s.headlines.of(d.ClusterID)}, {s.time, "took in: " + s.headlines.of(d.Detail.MergedFrom)}}
	case "split_created":
		return []part{{s.good, "split off"}, {s.mark, articles}, {nil, s.headlines.of(d.ClusterID)}, {s.time, "from: " + s.headlines.of(d.Detail.SplitFrom)}}
	}
	return []part{{s.what, d.Action}, {s.mark, articles}, {nil, s.headlines.of(d.ClusterID)}}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
