package testkit

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// logVersion is of the file's form and of what the kit makes of choices: a log of
// another version cannot be followed.
const logVersion = 1

const logMagic = "testkit decisions"

// Bounds of what a file may say: a file past them is none of a run.
const (
	labelsMost  = 1 << 20
	labelMost   = 1 << 12
	choicesMost = 1 << 26
	headerMost  = 1 << 20
	bodyMost    = 1 << 30
)

// Log is what a run has decided: with the code that made it, it is the run.
//
// Its file is two lines to read, the version and a header as JSON, and after them
// the choices, deflated: the labels, then for each choice its stream, steps and
// nanoseconds since the choice before, label, out of how many, and which.
type Log struct {
	Scenario string  `json:"scenario"` // what the run was one of
	Seed     uint64  `json:"seed"`
	Strategy string  `json:"strategy,omitempty"`
	Options  []Drawn `json:"options"`
	Build    string  `json:"build"`              // of the code that made it
	Violated string  `json:"violated,omitempty"` // the first invariant that it violates
	Steps    int     `json:"steps"`              // after which it was made

	labels  []string
	choices []choice
}

// Choices is how many there are.
func (l *Log) Choices() int { return len(l.choices) }

// Unset is one of the options that the run has none of; "": there is none.
func (l *Log) Unset(options map[string]int) string {
	return unset(slices.Sorted(maps.Keys(options)), l.Options)
}

// unset is one of the names that is no option's, in quotes where it is empty.
func unset(names []string, options []Drawn) string {
	for _, name := range names {
		switch {
		case name == "":
			return `""`
		case !slices.ContainsFunc(options, func(o Drawn) bool { return o.Name == name }):
			return name
		}
	}
	return ""
}

// Deviations are how many choices of a stream are not the plain one.
func (l *Log) Deviations(of Stream) (n int) {
	for _, c := range l.choices {
		if c.stream == of && c.pick != 0 {
			n++
		}
	}
	return n
}

// WriteTo writes the file.
func (l *Log) WriteTo(w io.Writer) (int64, error) {
	header, err := json.Marshal(l)
	if err != nil {
		return 0, fmt.Errorf("write a decision log: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %d\n%s\n", logMagic, logVersion, header)
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return 0, fmt.Errorf("write a decision log: %w", err)
	}
	_, err = z.Write(l.body())
	if err = errors.Join(err, z.Close()); err != nil {
		return 0, fmt.Errorf("write a decision log: %w", err)
	}
	return b.WriteTo(w)
}

func (l *Log) body() []byte {
	b := binary.AppendUvarint(nil, uint64(len(l.labels)))
	for _, label := range l.labels {
		b = binary.AppendUvarint(b, uint64(len(label)))
		b = append(b, label...)
	}
	b = binary.AppendUvarint(b, uint64(len(l.choices)))
	step, at := 0, time.Duration(0)
	for _, c := range l.choices {
		b = append(b, byte(c.stream))
		for _, v := range [...]uint64{uint64(c.step - step), uint64(c.at - at), uint64(c.label), c.n, c.pick} {
			b = binary.AppendUvarint(b, v)
		}
		step, at = c.step, c.at
	}
	return b
}

// Save writes the file of that name, all of it or nothing: what was there before is
// there still where it fails.
func (l *Log) Save(name string) error {
	var b bytes.Buffer
	if _, err := l.WriteTo(&b); err != nil {
		return err
	}
	return writeFile(name, b.Bytes())
}

// writeFile writes a file whole or not at all. What is no ordinary file, as /dev/stdout,
// is written to as it is.
func writeFile(name string, content []byte) (err error) {
	if info, gone := os.Stat(name); gone == nil && !info.Mode().IsRegular() {
		return os.WriteFile(name, content, 0o644)
	}
	part := name + ".part"
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", name, err)
		}
	}()
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}

// LoadLog reads the file of that name.
func LoadLog(name string) (*Log, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	l, err := ReadLog(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

// ReadLog reads what WriteTo wrote, all of it or nothing.
func ReadLog(r io.Reader) (*Log, error) {
	in := bufio.NewReaderSize(r, headerMost)
	line, err := in.ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	if err != nil || !strings.HasPrefix(string(line), logMagic+" ") {
		return nil, errors.New("not a decision log")
	}
	if version := strings.TrimSpace(strings.TrimPrefix(string(line), logMagic)); version != fmt.Sprint(logVersion) {
		return nil, fmt.Errorf("a decision log of version %s; this kit follows version %d", version, logVersion)
	}
	if line, err = in.ReadSlice('\n'); errors.Is(err, io.EOF) {
		return nil, errors.New("decision log: the file ends within its header")
	} else if err != nil {
		return nil, fmt.Errorf("decision log: its header: %w", err)
	}
	l := &Log{}
	if err := json.Unmarshal(line, l); err != nil {
		return nil, fmt.Errorf("decision log: its header: %w", err)
	}
	switch {
	case l.Build == "":
		return nil, errors.New("decision log: its header: it does not say which code has made it")
	case l.Strategy != "" && l.Strategy != DepthFirst && !slices.Contains(Strategies, l.Strategy):
		return nil, fmt.Errorf("decision log: its header: there is no strategy %q", l.Strategy)
	}
	b := &body{in: bufio.NewReader(io.LimitReader(flate.NewReader(in), bodyMost))}
	b.read(l)
	if b.err == nil {
		b.end(in)
	}
	if errors.Is(b.err, io.ErrUnexpectedEOF) {
		return nil, errors.New("decision log: the file ends within its choices")
	}
	if b.err != nil {
		return nil, fmt.Errorf("decision log: its choices: %w", b.err)
	}
	return l, nil
}

// body reads numbers until one is not to be had.
type body struct {
	in  *bufio.Reader
	err error
}

func (b *body) number(below uint64) uint64 {
	if b.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(b.in)
	switch {
	case errors.Is(err, io.EOF):
		b.err = io.ErrUnexpectedEOF
	case err != nil:
		b.err = err
	case n >= below:
		b.err = fmt.Errorf("%d where less than %d is possible", n, below)
	default:
		return n
	}
	return 0
}

// end holds that nothing comes after the choices, neither in them nor in the file.
func (b *body) end(file *bufio.Reader) {
	for _, r := range []*bufio.Reader{b.in, file} {
		switch _, err := r.ReadByte(); {
		case err == nil:
			b.err = errors.New("something comes after the last")
			return
		case !errors.Is(err, io.EOF):
			b.err = err
			return
		}
	}
}

func (b *body) read(l *Log) {
	for range b.number(labelsMost) {
		text := make([]byte, b.number(labelMost))
		if b.err == nil {
			_, b.err = io.ReadFull(b.in, text)
		}
		if b.err != nil {
			return
		}
		l.labels = append(l.labels, string(text))
	}
	step, at := uint64(0), uint64(0)
	for range b.number(choicesMost) {
		c := choice{stream: Stream(b.number(uint64(streams)))}
		step += b.number(1 << 32)
		at += b.number(1 << 62)
		c.step, c.at = int(step), time.Duration(at)
		c.label = uint32(b.number(uint64(len(l.labels))))
		c.n = b.number(1 << 63)
		c.pick = b.number(max(c.n, 1))
		if b.err != nil {
			return
		}
		l.choices = append(l.choices, c)
	}
}

// build names the code that runs, as far as the binary knows it.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", changed"
		}
	}
	if revision == "" {
		revision = info.Main.Version
	}
	return strings.TrimSpace(revision + modified + " " + info.GoVersion)
}

// Told are the choices that are not plain, one a line, but for the schedule's,
// which say little by themselves.
func (l *Log) Told() (lines []string) {
	for _, c := range l.choices {
		if c.stream != Schedule && c.pick != 0 {
			lines = append(lines, fmt.Sprintf("step %d, %v: %s: %s: %d of %d", c.step, c.at, c.stream, l.labels[c.label], c.pick, c.n))
		}
	}
	return lines
}
