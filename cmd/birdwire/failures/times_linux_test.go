package failures_test

import (
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"
)

// row is what one scenario took.
type row struct {
	scenario string
	nodes    int
	led      string // streams of the store that the nodes led which were lost
	// Until the last client was handed something that was pushed after the failure: on
	// the other nodes those that get posts and those that get news, and on those that
	// were lost all.
	others, news, theirs time.Duration
	over                 int64         // credits that were charged for nothing that came
	whole                time.Duration // from its end until nothing was wrong; 0: it has no end
}

// table is what all of them took.
type table struct {
	mu   sync.Mutex // protects rows
	rows []row
}

var times table

func (t *table) add(r row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r)
}

// print writes the table as Markdown has it, so that it can be kept.
func (t *table) print(to io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(to, 0, 0, 1, ' ', 0)
	defer w.Flush() //nolint:errcheck // it is for people
	fmt.Fprintln(w, "\n| scenario\t| nodes\t| led\t| others: posts\t| others: news\t| its own clients\t| whole after its end\t| credits over\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, r := range t.rows {
		fmt.Fprintf(w, "| %s\t| %d\t| %s\t| %s\t| %s\t| %s\t| %s\t| %d\t|\n", r.scenario, r.nodes, r.led, seconds(r.others), seconds(r.news), seconds(r.theirs), seconds(r.whole), r.over)
	}
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
