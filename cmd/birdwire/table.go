package main

import (
	"io"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// Widths are in cells of a terminal, where a Chinese character or an emoji has
// two and an accent none.

// cells is how wide s is.
func cells(s string) int { return displaywidth.String(s) }

// clip is s on one line, at most n cells wide.
func clip(s string, n int) string {
	if n < 1 {
		return ""
	}
	return displaywidth.TruncateString(strings.Join(strings.Fields(printable(s)), " "), n, "…")
}

const (
	tableGap   = 2 // cells between columns
	tableLeast = 6 // cells that a column keeps when others need room
)

// writeTable writes rows under heading, cut to width cells; 0 is no bound. The
// first column, which names the row, keeps its width as long as it fits. Where
// there is no room for all columns at their least, the last ones are cut.
func writeTable(w io.Writer, width int, heading []string, rows [][]string) error {
	rows = append([][]string{heading}, rows...)
	widths := make([]int, len(heading))
	for i, r := range rows {
		rows[i] = slices.Clone(r)
		for j := range r {
			rows[i][j] = clip(r[j], 1<<20)
			widths[j] = max(widths[j], cells(rows[i][j]))
		}
	}
	if width > 0 {
		narrow(widths, width)
	}
	var b strings.Builder
	for _, r := range rows {
		line := tableLine(r, widths)
		if width > 0 {
			line = displaywidth.TruncateString(line, width, "…")
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// narrow takes cells from the widest columns until the table fits.
func narrow(widths []int, width int) {
	total := tableGap * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	for ; total > width; total-- {
		widest := 0
		for j := 1; j < len(widths); j++ {
			if widths[j] > tableLeast && (widest == 0 || widths[j] > widths[widest]) {
				widest = j
			}
		}
		if widest == 0 {
			return
		}
		widths[widest]--
	}
}

// tableLine has no spaces at its end.
func tableLine(row []string, widths []int) string {
	var b strings.Builder
	for j, cell := range row {
		cell = displaywidth.TruncateString(cell, widths[j], "…")
		b.WriteString(cell)
		b.WriteString(strings.Repeat(" ", widths[j]-cells(cell)+tableGap))
	}
	return strings.TrimRight(b.String(), " ")
}
