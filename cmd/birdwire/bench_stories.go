package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cluster/node"
)

func (c *cli) benchStories() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stories",
		Short: "Give articles their stories, and compare with what people did",
		Long: `Read articles from a file, give each its story in one pass in order of time, and
compare the stories with those that people gave them.

The file is JSON lines, gzip if its name ends in .gz, one article each:
title, body (may be missing), published_at (Unix ms), entities (names, may be
missing) and cluster, the true story; null: none that the file knows.

BCubed is the mean over the articles with a true story: of those put together
with it, which share belongs there (precision), and of those that belong there,
which share was put together with it (recall). An article of no story counts
against precision where it was put to one.

Development says how well texts that tell something new are told from those
that tell the same again, by text alone: the third article of a story is old to
its first two; the first article of the later story most like it is new. AUC is
the chance that something new scores higher; AP the average precision; false
fires the share of the old that would have been reported.`,
		Example: example(`
			birdwire bench stories --data articles.jsonl.gz
			birdwire bench stories --data articles.jsonl --from 2019-01-01 --json`),
		Args: words(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	data := flags.String("data", "", "file of articles; required")
	from := flags.String("from", "", "first day, as 2019-01-01; default: all")
	until := flags.String("until", "", "day after the last; default: all")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *data == "" {
			return usagef("--data is missing: a file of articles, one JSON object a line")
		}
		first, err := dayOf("from", *from)
		if err != nil {
			return err
		}
		end, err := dayOf("until", *until)
		if err != nil {
			return err
		}
		f, err := within(cmd.Context(), func() (node.StoryFigures, error) { return measureStories(*data, first, end) })
		if err != nil {
			return fmt.Errorf("%s: %w", *data, err)
		}
		if *asJSON {
			return json.NewEncoder(c.stdout).Encode(storyFigureOf(f))
		}
		return printStories(c.stdout, f)
	}
	return cmd
}

func dayOf(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, usagef("--%s %s: want a day, as 2019-01-01", flag, s)
	}
	return t, nil
}

func measureStories(name string, from, until time.Time) (node.StoryFigures, error) {
	file, err := os.Open(name)
	if err != nil {
		return node.StoryFigures{}, err
	}
	defer file.Close() // read only
	var r io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(file); err != nil {
			return node.StoryFigures{}, err
		}
	}
	return node.MeasureStories(r, from, until)
}

// storyFigure is for programs. What a file has too little for is null.
type storyFigure struct {
	Articles   int     `json:"articles"`
	Labelled   int     `json:"labelled"`
	Stories    int     `json:"stories"`
	Merges     int     `json:"merges"`
	Splits     int     `json:"splits"`
	BCubed     bcubed  `json:"bcubed"`
	PerSecond  float64 `json:"articles_per_second"`
	AssignP99  float64 `json:"assign_p99_ms"`
	Developing develop `json:"development"`
}

type bcubed struct {
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	F1        *float64 `json:"f1"`
}

type develop struct {
	Old        int      `json:"old"`
	New        int      `json:"new"`
	AUC        *float64 `json:"auc"`
	AP         *float64 `json:"ap"`
	Fires      *float64 `json:"fires"`
	FalseFires *float64 `json:"false_fires"`
}

func storyFigureOf(f node.StoryFigures) storyFigure {
	s := storyFigure{
		Articles: f.Articles, Labelled: f.Labelled, Stories: f.Stories.Stories, Merges: f.Merges, Splits: f.Splits,
		PerSecond: float64(f.Articles) / f.Took.Seconds(), AssignP99: f.P99.Seconds() * 1000,
		Developing: develop{Old: f.Development.Old, New: f.Development.New},
	}
	if f.Labelled > 0 {
		s.BCubed = bcubed{&f.BCubed.Precision, &f.BCubed.Recall, &f.BCubed.F1}
	}
	if d := &f.Development; d.Old > 0 && d.New > 0 {
		s.Developing.AUC, s.Developing.AP, s.Developing.Fires, s.Developing.FalseFires = &d.AUC, &d.AP, &d.Fires, &d.FalseFires
	}
	return s
}

func printStories(w io.Writer, f node.StoryFigures) error {
	s := storyFigureOf(f)
	fmt.Fprintf(w, "%s articles, %s with a true story: %s stories (%s merges, %s splits)\n",
		grouped(float64(s.Articles)), grouped(float64(s.Labelled)), grouped(float64(s.Stories)), grouped(float64(s.Merges)), grouped(float64(s.Splits)))
	if s.BCubed.F1 == nil {
		fmt.Fprintln(w, "BCubed: no article of the file has a true story")
	} else {
		fmt.Fprintf(w, "BCubed: precision %.4f  recall %.4f  F1 %.4f\n", *s.BCubed.Precision, *s.BCubed.Recall, *s.BCubed.F1)
	}
	fmt.Fprintf(w, "CPU: %s articles a second and core; an assignment: p99 %.2f ms\n", grouped(s.PerSecond), s.AssignP99)
	d := s.Developing
	if d.AUC == nil {
		_, err := fmt.Fprintln(w, "Development: the file has too few stories of three articles that resemble others")
		return err
	}
	_, err := fmt.Fprintf(w, "Development, %d old and %d new: AUC %.4f  AP %.4f; %.1f %% of the new fire, %.1f %% of the old do\n",
		d.Old, d.New, *d.AUC, *d.AP, 100**d.Fires, 100**d.FalseFires)
	return err
}
