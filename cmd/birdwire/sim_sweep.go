package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/testkit/sim"
)

// sweepResult is what a sweep comes to, as JSON.
type sweepResult struct {
	Seeds     int            `json:"seeds"` // that were run
	First     uint64         `json:"first"`
	Last      uint64         `json:"last"`
	Failed    []sweepFailure `json:"failed"`
	Sometimes map[string]int `json:"sometimes"` // in how many seeds each place was reached
	Unreached []string       `json:"unreached"`
	Steps     int            `json:"steps"`
	Seconds   float64        `json:"simulated_seconds"`
}

type sweepFailure struct {
	Seed      uint64 `json:"seed"`
	Invariant string `json:"invariant"`
	Scenario  string `json:"scenario,omitempty"`
	Step      int    `json:"step,omitempty"`
	Log       string `json:"log,omitempty"`
}

// sweepSeed is what a worker says of one seed.
type sweepSeed struct {
	Seed      uint64
	Scenario  string
	Steps     int
	Simulated time.Duration
	Reached   []string
	Invariant string // the first that was violated; "": none
	Step      int
	Log       string // the file of its decisions; "": none was kept
	Unkept    string // why not, where it should have been
	Trace     uint64 // of a sweep that plays each twice
}

func (c *cli) simSweep() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sweep --seeds A-B",
		Short: "Run many seeds, one process a core",
		Long: `Run the seeds A to B, and print which failed. Places that the product comes to
only sometimes are counted: a place that no seed has reached was not tested, and
fails the sweep as a violation does. The exit code is 1 if anything failed.

With --twice each seed is played in two processes, of which one uses one core and
the other two, and must do the same in both, to the last message. With --also FILE
it is played by another build of this program too, as one that was built with -race.

With --logs the decisions of the seeds that failed are kept, for replay, shrink
and show.`,
		Example: example(`
			birdwire sim sweep --seeds 1-1000 --logs failed
			birdwire sim sweep --seeds 1-1000000 --for 8h --json
			birdwire sim sweep --seeds 1-200 --scenario rules --anywhere
			birdwire sim sweep --seeds 1-1000 --twice --also ./birdwire-race`),
		Args: words(),
	}
	s := sweep{cli: c}
	flags := cmd.Flags()
	flags.SortFlags = false
	seeds := flags.String("seeds", "", "the first and the last, as 1-1000 (required)")
	flags.StringVar(&s.scenario, "scenario", "", "one or several, by comma, of those of 'birdwire sim --help'; default: each seed's own")
	flags.StringVar(&s.strategy, "strategy", "random", "how what is next is picked: random, priority")
	flags.IntVar(&s.procs, "procs", runtime.NumCPU(), "processes")
	flags.DurationVar(&s.within, "for", 0, "begin no other seed after this long; 0: run them all")
	flags.StringVar(&s.logs, "logs", "", "folder for the logs of seeds that failed")
	flags.BoolVar(&s.twice, "twice", false, "play each seed in two processes, and hold that it is the same run")
	flags.StringVar(&s.also, "also", "", "with --twice: another build of this program, which is to play the same run")
	anywhere := flags.Bool("anywhere", false, "do not fail for places that were not reached")
	asJSON := jsonFlag(cmd)
	cmd.PreRunE = need("seeds")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.parse(*seeds); err != nil {
			return err
		}
		if _, err := sim.Of(s.scenario, 0); err != nil {
			return usageError{err}
		}
		if err := sim.CheckStrategy(s.strategy); err != nil {
			return usageError{err}
		}
		if s.also != "" && !s.twice {
			return usagef("--also %s: it is for --twice", s.also)
		}
		r, err := s.run(cmd.Context())
		if err != nil {
			return err
		}
		p := printer{c.stdout, *asJSON}
		if err := p.value(r, func() error { return p.sweep(r) }); err != nil {
			return err
		}
		if err := cmd.Context().Err(); err != nil {
			return fmt.Errorf("%w after %d seeds", errInterrupted, r.Seeds)
		}
		if r.Seeds == 0 {
			return errors.New("the time was over before a seed was run: nothing was tested")
		}
		if n := len(r.Failed); n > 0 {
			return fmt.Errorf("%d of %d seeds failed", n, r.Seeds)
		}
		if len(r.Unreached) > 0 && !*anywhere {
			return fmt.Errorf("%d seeds have not reached %d places", r.Seeds, len(r.Unreached))
		}
		return nil
	}
	return cmd
}

func (p printer) sweep(r sweepResult) error {
	err := p.say("%d seeds, %d steps, %v simulated", r.Seeds, r.Steps, time.Duration(r.Seconds*float64(time.Second)).Round(time.Second))
	if len(r.Sometimes) > 0 && err == nil {
		err = p.say("reached: %s", shownOptions(r.Sometimes))
	}
	if len(r.Unreached) > 0 && err == nil {
		err = p.say("not reached: %s", strings.Join(r.Unreached, ", "))
	}
	for _, f := range r.Failed {
		if err == nil {
			err = p.say("seed %d (%s): %s%s", f.Seed, f.Scenario, f.Invariant, inFile(f.Log))
		}
	}
	return err
}

// inFile says where a run's decisions are.
func inFile(name string) string {
	if name == "" {
		return ""
	}
	return ", in " + name
}

// procsMost is more than any machine has cores to play seeds on.
const procsMost = 1024

// sweep feeds seeds to processes, each of which plays one after the other.
type sweep struct {
	cli         *cli
	first, last uint64
	scenario    string
	strategy    string
	procs       int
	within      time.Duration
	logs        string
	twice       bool
	also        string // another build; "": none

	mu     sync.Mutex // protects next and result
	next   uint64
	until  time.Time // zero: never
	result sweepResult
	// simulated is the sum of the seeds' times: that of seconds depends on their order.
	simulated time.Duration
}

func (s *sweep) parse(seeds string) error {
	from, to, ok := strings.Cut(seeds, "-")
	if !ok {
		to = from
	}
	var errs [2]error
	s.first, errs[0] = strconv.ParseUint(from, 10, 64)
	s.last, errs[1] = strconv.ParseUint(to, 10, 64)
	if errors.Join(errs[:]...) != nil || s.last < s.first || s.first == 0 {
		return usagef("--seeds %s: want the first and the last, as 1-1000", seeds)
	}
	if s.procs < 1 || s.procs > procsMost {
		return usagef("--procs %d: want 1 to %d", s.procs, procsMost)
	}
	if s.within < 0 {
		return usagef("--for %v: want no time below 0", s.within)
	}
	return nil
}

func (s *sweep) run(ctx context.Context) (sweepResult, error) {
	if s.logs != "" {
		if err := os.MkdirAll(s.logs, 0o755); err != nil {
			return sweepResult{}, err
		}
	}
	s.next = s.first
	s.result = sweepResult{First: s.first, Failed: []sweepFailure{}, Sometimes: map[string]int{}, Unreached: []string{}}
	if s.within > 0 {
		s.until = time.Now().Add(s.within)
	}
	n := int(min(uint64(s.procs), s.last-s.first+1))
	failed := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { failed[i] = s.process(ctx) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return sweepResult{}, err
	}
	r := s.result
	slices.SortFunc(r.Failed, func(a, b sweepFailure) int { return int(int64(a.Seed - b.Seed)) })
	for _, place := range sim.Sometimes {
		if r.Sometimes[place] == 0 {
			r.Unreached = append(r.Unreached, place)
		}
	}
	return r, nil
}

// take is the next seed; false: there is none.
func (s *sweep) take() (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next > s.last || s.next == 0 || !s.until.IsZero() && time.Now().After(s.until) {
		return 0, false
	}
	s.next++
	return s.next - 1, true
}

func (s *sweep) done(r sweepSeed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Seeds++
	s.result.Last = max(s.result.Last, r.Seed)
	s.result.Steps += r.Steps
	s.simulated += r.Simulated
	s.result.Seconds = s.simulated.Seconds()
	for _, place := range r.Reached {
		s.result.Sometimes[place]++
	}
	if r.Invariant != "" {
		s.result.Failed = append(s.result.Failed, sweepFailure{r.Seed, r.Invariant, r.Scenario, r.Step, r.Log})
	}
	if r.Unkept != "" {
		fmt.Fprintf(s.cli.stderr, "the decisions of seed %d are not kept: %s\n", r.Seed, r.Unkept)
	}
}

// process runs one worker after the other: a seed that ends its process is a
// failure like any other, and no reason to stop.
func (s *sweep) process(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	seed, more := s.take()
	for more {
		w, err := s.startAll(ctx, self)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for more && err == nil {
			var r sweepSeed
			if r, err = w.play(seed); err == nil {
				s.done(r)
				seed, more = s.take()
			}
		}
		if ended := w.stop(); err != nil && ctx.Err() == nil {
			s.done(sweepSeed{Seed: seed, Invariant: fmt.Sprintf("the process goes on (%v)", errors.Join(ended, err))})
			seed, more = s.take()
		}
		if ctx.Err() != nil { // what was found by then is told
			return nil
		}
	}
	return nil
}

// workers are one process, or several that play the same.
type workers []*worker

func (s *sweep) startAll(ctx context.Context, self string) (all workers, err error) {
	type process struct {
		program string
		cores   int
	}
	processes := []process{{self, 1}}
	if s.twice {
		processes = append(processes, process{self, 2})
	}
	if s.also != "" {
		processes = append(processes, process{s.also, 2})
	}
	for _, p := range processes {
		w, err := s.start(ctx, p.program, p.cores)
		if err != nil {
			return nil, errors.Join(err, all.stop())
		}
		all = append(all, w)
	}
	return all, nil
}

func (all workers) play(seed uint64) (r sweepSeed, err error) {
	results, errs := make([]sweepSeed, len(all)), make([]error, len(all))
	var done sync.WaitGroup
	for i, w := range all {
		done.Go(func() { results[i], errs[i] = w.play(seed) })
	}
	done.Wait()
	r = results[0]
	for _, o := range results[1:] {
		if o.Trace != r.Trace || o.Steps != r.Steps {
			r.Invariant = fmt.Sprintf("one seed is one run (%d steps, trace %016x; %d steps, trace %016x)", r.Steps, r.Trace, o.Steps, o.Trace)
		}
	}
	return r, errors.Join(errs...)
}

func (all workers) stop() (err error) {
	for _, w := range all {
		err = errors.Join(err, w.stop())
	}
	return err
}

// worker is a process that plays seeds.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (s *sweep) start(ctx context.Context, program string, cores int) (*worker, error) {
	cmd := exec.CommandContext(ctx, program, "sim", "worker", "--scenario", s.scenario, "--strategy", s.strategy, "--logs", s.logs,
		fmt.Sprintf("--hash=%v", s.twice))
	cmd.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", cores))
	cmd.Stderr = s.cli.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return &worker{cmd, in, bufio.NewReader(out)}, nil
}

// seedMost is how long a seed takes at most: its process hangs else, and is ended.
const seedMost = 15 * time.Minute

func (w *worker) play(seed uint64) (r sweepSeed, err error) {
	hangs := time.AfterFunc(seedMost, func() { _ = w.cmd.Process.Kill() }) // Wait says whether it was there
	defer func() {
		if !hangs.Stop() {
			err = errors.Join(fmt.Errorf("not done after %v", seedMost), err)
		}
	}()
	if _, err = fmt.Fprintln(w.in, seed); err != nil {
		return r, err
	}
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(line, &r)
}

func (w *worker) stop() error {
	return errors.Join(w.in.Close(), w.cmd.Wait())
}

// simWorker is the process that a sweep starts.
func (c *cli) simWorker() *cobra.Command {
	cmd := &cobra.Command{Use: "worker", Hidden: true, Args: words()}
	scenario := cmd.Flags().String("scenario", "", "")
	strategy := cmd.Flags().String("strategy", "", "")
	hash := cmd.Flags().Bool("hash", false, "")
	logs := cmd.Flags().String("logs", "", "")
	cmd.RunE = func(*cobra.Command, []string) error {
		out := json.NewEncoder(c.stdout)
		in := bufio.NewScanner(c.stdin)
		for in.Scan() {
			seed, err := strconv.ParseUint(in.Text(), 10, 64)
			if err != nil {
				return err
			}
			r, err := playSeed(sim.Plan{Scenario: *scenario, Strategy: *strategy, Seed: seed, Hash: *hash}, *logs)
			if err != nil {
				return err
			}
			if err := out.Encode(r); err != nil {
				return err
			}
		}
		return in.Err()
	}
	return cmd
}

// playSeed plays one; where it fails and there is a folder for its log, again.
func playSeed(p sim.Plan, logs string) (r sweepSeed, err error) {
	o, err := sim.Play(p)
	if err != nil {
		return r, err
	}
	r = sweepSeed{Seed: o.Seed, Scenario: o.Scenario, Steps: o.Steps, Simulated: o.Elapsed, Trace: o.Trace}
	for place := range o.Reached {
		r.Reached = append(r.Reached, place)
	}
	if !o.Failed() {
		return r, nil
	}
	r.Invariant, r.Step = o.Violations[0].Invariant, o.Violations[0].Step
	if logs == "" {
		return r, nil
	}
	p.Log = true
	if o, err = sim.Play(p); err != nil {
		return r, err
	}
	name := logName(logs, o.Log)
	if err := o.Log.Save(name); err != nil {
		r.Unkept = err.Error() // which takes nothing from what was found
	} else {
		r.Log = name
	}
	return r, nil
}

// logName is that of a seed's log in the folder. Another run of the same seed, by another
// scenario or strategy, keeps its own.
func logName(folder string, l *sim.Log) string {
	name := filepath.Join(folder, fmt.Sprintf("%d.log", l.Seed))
	old, err := sim.LoadLog(name)
	if err != nil || old.Scenario == l.Scenario && old.Strategy == l.Strategy {
		return name
	}
	return filepath.Join(folder, strings.TrimSuffix(fmt.Sprintf("%d-%s-%s", l.Seed, l.Scenario, l.Strategy), "-")+".log")
}
