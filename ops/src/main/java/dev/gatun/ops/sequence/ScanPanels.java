package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.ScanSteps.ARRAYS;
import static dev.gatun.ops.sequence.ScanSteps.DDELTA;
import static dev.gatun.ops.sequence.ScanSteps.DELTA;
import static dev.gatun.ops.sequence.ScanSteps.DW;
import static dev.gatun.ops.sequence.ScanSteps.F;
import static dev.gatun.ops.sequence.ScanSteps.G;
import static dev.gatun.ops.sequence.ScanSteps.TIMES;
import static dev.gatun.ops.sequence.ScanSteps.W;
import static dev.gatun.ops.sequence.ScanSteps.Y;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Warmup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Supplier;

/**
 * F32 kernels of {@link SelectiveScan} and {@link SelectiveScanGrad}: channels in panels of a few vectors, chunk by chunk, one n after the other, so that
 * lanes are channels, every number read is used for all states, and only the sums db and dc cross lanes. Of the states nothing but
 * those before each chunk leaves the scratch memory.
 */
final class ScanPanels {

    private static final Warmup<ScanSteps> WARM =
            Warmup.of("selectiveScan", ScanPlain.STEPS, () -> new ScanSteps.Fast(), ScanPanels::exercise);

    /** Up to so many steps, states are taken as they lie instead of being turned into panels. */
    private static final long FEW = 4;
    private static final int FEW_CHANNELS = 128;
    /** Pieces that the channels of a group are cut into: each has sums of db and dc of its own. */
    private static final long RUNS = 8;

    /** Bytes of one number at all times of a chunk. */
    private static final long LINE = TIMES * 4L;

    private ScanPanels() {}

    private static boolean answers(Args a) {
        return a.isF32() && WARM.answers();
    }

    static List<Kernel> forward() {
        return List.of(
                Kernel.vector(a -> forwardItems(a, WARM.fast()), (a, from, to) -> forward(a, from, to, WARM.fast()))
                        .costing(a -> forwardNanos(a, WARM.fast())).when(ScanPanels::answers).warmsItself(),
                Kernel.scalar(a -> forwardItems(a, ScanPlain.STEPS), (a, from, to) -> forward(a, from, to, ScanPlain.STEPS))
                        .costing(a -> 10 * forwardNanos(a, ScanPlain.STEPS)));
    }

    static List<Kernel> backward() {
        return List.of(
                summed(Kernel.vector(a -> backwardItems(a, WARM.fast()), (a, from, to) -> backward(a, from, to, WARM.fast()))
                        .costing(a -> backwardNanos(a, WARM.fast())), WARM::fast).when(ScanPanels::answers).warmsItself(),
                summed(Kernel.scalar(a -> backwardItems(a, ScanPlain.STEPS), (a, from, to) -> backward(a, from, to, ScanPlain.STEPS))
                        .costing(a -> 10 * backwardNanos(a, ScanPlain.STEPS)), () -> ScanPlain.STEPS));
    }

    private static Kernel summed(Kernel panels, Supplier<ScanSteps> steps) {
        return panels
                .then(a -> a.shape(0).dim(0) * a.shape(0).dim(1), (a, from, to) -> gatherTimes(a, from, to, steps.get()))
                .then(a -> a.shape(0).last(), (a, from, to) -> gatherChannels(a, from, to, steps.get()))
                .workspace(a -> new Layout(a, steps.get()).bytes());
    }

    // ---- forward ----

    private static boolean few(Args a) {
        return a.shape(0).dim(1) <= FEW && !a.op(SelectiveScan.class).traced();
    }

    private static long forwardItems(Args a, ScanSteps steps) {
        if (few(a)) {
            long groups = a.shape(3).dim(2);
            return a.shape(0).dim(0) * groups * Math.ceilDiv(a.shape(0).last() / groups, FEW_CHANNELS);
        }
        return new Layout(a, steps).items();
    }

    private static double forwardNanos(Args a, ScanSteps steps) {
        Layout layout = new Layout(a, steps);
        return few(a) ? FEW_CHANNELS * 10.0 * layout.time : 0.25 * steps.side() * layout.perRun * layout.time * (layout.states + 5);
    }

    private static void forward(Args a, long from, long to, ScanSteps steps) {
        Layout layout = new Layout(a, steps);
        long side = layout.width / layout.groups;
        for (long item = from; item < to; item++) {
            if (few(a)) {
                long pieces = Math.ceilDiv(side, FEW_CHANNELS);
                long first = item % pieces * FEW_CHANNELS;
                long group = item / pieces % layout.groups;
                few(a, steps, item / pieces / layout.groups, group, group * side + first, (int) Math.min(FEW_CHANNELS, side - first));
            } else {
                forward(a, steps, layout, layout.run(item, steps.side()));
            }
        }
    }

    /** Where the numbers of some channels lie in inputs: bytes of the first one, and of a step. */
    private record Place(long first, long rowBytes, long shared, long sharedBytes, long channel) {

        /** Channels from one on, u being input 0 and b input 3. */
        static Place of(Args a, long batch, long group, long channel) {
            Shape u = a.shape(0);
            Shape b = a.shape(3);
            long rowBytes = u.last() * 4;
            long sharedBytes = b.dim(2) * b.last() * 4;
            return new Place(batch * u.dim(1) * rowBytes + channel * 4, rowBytes,
                    batch * u.dim(1) * sharedBytes + group * b.last() * 4, sharedBytes, channel * 4);
        }
    }

    // Arrays and rows that each panel of a run has for itself.
    private static final int U = 0;
    private static final int RAW = 1;
    private static final int Z = 2;
    private static final int DY = 3;
    private static final int BIAS = 0;
    private static final int SKIP = 1;
    private static final int DBIAS = 2;
    private static final int DSKIP = 3;
    private static final int A2 = 0;
    private static final int STATE = 1;
    private static final int A = 2;
    private static final int LAMBDA = 3;
    private static final int DA = 4;

    /**
     * Scratch behind the common arrays: a row of zeros, the b and c of a chunk, and for each panel of a run {@code own} arrays, four rows and
     * {@code perState} rows for each n.
     */
    private record Rows(long zero, long shared, long first, long array, long row, long states, int own, int perState) {

        Rows(ScanSteps steps, long states, int own, int perState) {
            this(ARRAYS * steps.array(), ARRAYS * steps.array() + steps.side() * 4L,
                    ARRAYS * steps.array() + steps.side() * 4L + 2 * states * LINE, steps.array(), steps.side() * 4L, states, own, perState);
        }

        /** Bytes from one panel to the next. */
        long panel() {
            return own * array + (4 + states * perState) * row;
        }

        long array(long panel, int which) {
            return first + panel * panel() + which * array;
        }

        long one(long panel, int which) {
            return array(panel, own) + which * row;
        }

        /** The first of the rows for each n. */
        long each(long panel, int which) {
            return one(panel, 4) + which * states * row;
        }

        long bytes(long panels) {
            return array(panels, 0);
        }
    }

    /** The bias and skip of a run, its decays and the states before. */
    private static void start(Args a, ScanSteps steps, Layout layout, Run run, Rows at, MemorySegment s, int bias) {
        int side = steps.side();
        zero(s, at.zero, at.row);
        steps.load(a.in(bias), run.channel * 4, 0, 1, run.width(), s, at.zero, 0, at.one(0, BIAS), at.panel());
        steps.load(a.in(bias + 1), run.channel * 4, 0, 1, run.width(), s, at.zero, 0, at.one(0, SKIP), at.panel());
        for (int i = 0; i < run.panels; i++) {
            turn(a.in(2), run.channel(i, side), (int) layout.states, run.width(i, side), side, ScanSteps.LOG2E, s, at.each(i, A2));
        }
    }

    /** The inputs of a chunk, and what is made of them panel by panel. */
    private static void inputs(Args a, ScanSteps steps, Run run, Rows at, MemorySegment s, Place p, long t, int rows) {
        steps.load(a.in(0), p.first + t * p.rowBytes, p.rowBytes, rows, run.width(), s, at.zero, 0, at.array(0, U), at.panel());
        steps.load(a.in(1), p.first + t * p.rowBytes, p.rowBytes, rows, run.width(), s, at.one(0, BIAS), at.panel(), at.array(0, RAW), at.panel());
    }

    private static void steps(ScanSteps steps, Rows at, MemorySegment s, int panel, boolean softplus, int rows) {
        long u = at.array(panel, U);
        long raw = at.array(panel, RAW);
        if (softplus) {
            steps.softplus(s, raw, DELTA * at.array, rows * steps.side());
        } else {
            MemorySegment.copy(s, raw, s, DELTA * at.array, rows * at.row);
        }
        steps.multiply(s, DELTA * at.array, u, W * at.array, rows * steps.side());
        steps.scale(s, at.one(panel, SKIP), u, Y * at.array, rows);
    }

    private static void forward(Args a, ScanSteps steps, Layout layout, Run run) {
        SelectiveScan op = a.op(SelectiveScan.class);
        int states = (int) layout.states;
        boolean gated = a.inputs() > 8;
        int side = steps.side();
        Rows at = new Rows(steps, states, gated ? 3 : 2, 2);
        MemorySegment s = a.scratch(at.bytes(run.panels));
        start(a, steps, layout, run, at, s, 6);
        for (int i = 0; i < run.panels; i++) {
            turn(a.in(5), run.batch * layout.width + run.channel(i, side), states, run.width(i, side), side, 1, s, at.each(i, STATE));
        }
        Place p = Place.of(a, run.batch, run.group, run.channel);
        for (long t = 0; t < layout.time; t += TIMES) {
            int rows = (int) Math.min(TIMES, layout.time - t);
            long from = p.first + t * p.rowBytes;
            share(a, p, t, rows, states, s, at.shared);
            if (op.traced()) {
                steps.store(s, at.each(0, STATE), at.panel(), states, run.width(), a.out(2), layout.border(run.batch, t / TIMES) + p.channel,
                        layout.width * 4);
            }
            inputs(a, steps, run, at, s, p, t, rows);
            if (gated) {
                steps.load(a.in(8), from, p.rowBytes, rows, run.width(), s, at.zero, 0, at.array(0, Z), at.panel());
            }
            for (int i = 0; i < run.panels; i++) {
                steps(steps, at, s, i, op.softplus(), rows);
                for (int n = 0; n < states; n++) {
                    steps.states(s, at.each(i, A2) + n * at.row, at.each(i, STATE) + n * at.row,
                            at.shared + n * LINE, at.shared + (states + n) * LINE, rows);
                }
                if (gated) {
                    steps.gate(s, Y * at.array, at.array(i, Z), at.array(i, U), rows * side);
                } else {
                    MemorySegment.copy(s, Y * at.array, s, at.array(i, U), rows * at.row);
                }
            }
            steps.store(s, at.array(0, U), at.panel(), rows, run.width(), a.out(0), from, p.rowBytes);
        }
        for (int i = 0; i < run.panels; i++) {
            turnBack(s, at.each(i, STATE), states, run.width(i, side), side, a.out(1), run.batch * layout.width + run.channel(i, side));
        }
    }

    /** A few steps of some channels: elementwise parts as rows, states one channel after the other. */
    private static void few(Args a, ScanSteps steps, long batch, long group, long channel, int width) {
        SelectiveScan op = a.op(SelectiveScan.class);
        int states = (int) a.shape(2).last();
        Place p = Place.of(a, batch, group, channel);
        int side = FEW_CHANNELS;
        long row = side * 4L;
        long panel = steps.side() * 4L;
        long bias = row;
        long skip = 2 * row;
        long delta = 3 * row;
        long u = 4 * row;
        long w = 5 * row;
        long y = 6 * row;
        MemorySegment s = a.scratch(7 * row);
        zero(s, 0, 7 * row);
        steps.load(a.in(6), p.channel, 0, 1, width, s, 0, 0, bias, panel);
        steps.load(a.in(7), p.channel, 0, 1, width, s, 0, 0, skip, panel);
        long stateAt = (batch * a.shape(0).last() + channel) * states * 4;
        MemorySegment.copy(a.in(5), stateAt, a.out(1), stateAt, (long) width * states * 4);
        MemorySegment decay = a.in(2).asSlice(channel * states * 4, (long) width * states * 4);
        for (long t = 0; t < a.shape(0).dim(1); t++) {
            long at = p.first + t * p.rowBytes;
            steps.load(a.in(0), at, 0, 1, width, s, 0, 0, u, panel);
            steps.load(a.in(1), at, 0, 1, width, s, bias, panel, delta, panel);
            if (op.softplus()) {
                steps.softplus(s, delta, delta, side);
            }
            steps.multiply(s, delta, u, w, side);
            steps.multiply(s, skip, u, y, side);
            long shared = p.shared + t * p.sharedBytes;
            steps.channels(s, delta, w, y, 0, width, decay, a.out(1), stateAt, states, a.in(3), shared, a.in(4), shared);
            if (a.inputs() > 8) {
                steps.load(a.in(8), at, 0, 1, width, s, 0, 0, u, panel);
                steps.gate(s, y, u, y, side);
            }
            steps.store(s, y, panel, 1, width, a.out(0), at, 0);
        }
    }

    /** The b of each n for all times of a chunk side by side, and then the c. */
    private static void share(Args a, Place p, long t, int rows, int states, MemorySegment s, long to) {
        for (int r = 0; r < rows; r++) {
            long at = p.shared + (t + r) * p.sharedBytes;
            for (int n = 0; n < states; n++) {
                s.set(F, to + n * LINE + r * 4L, a.in(3).get(F, at + n * 4L));
                s.set(F, to + (states + n) * LINE + r * 4L, a.in(4).get(F, at + n * 4L));
            }
        }
    }

    private static void zero(MemorySegment s, long at, long bytes) {
        s.asSlice(at, bytes).fill((byte) 0);
    }

    /** {@code s[n, i] = factor x[channel + i, n]}, zeros from {@code width} on. */
    private static void turn(MemorySegment x, long channel, int states, int width, int side, float factor, MemorySegment s, long to) {
        for (int n = 0; n < states; n++) {
            for (int i = 0; i < side; i++) {
                float value = i < width ? factor * x.get(F, ((channel + i) * states + n) * 4) : 0;
                s.set(F, to + ((long) n * side + i) * 4, value);
            }
        }
    }

    private static void turnBack(MemorySegment s, long from, int states, int width, int side, MemorySegment x, long channel) {
        for (int i = 0; i < width; i++) {
            for (int n = 0; n < states; n++) {
                x.set(F, ((channel + i) * states + n) * 4, s.get(F, from + ((long) n * side + i) * 4));
            }
        }
    }

    // ---- backward ----

    /**
     * How a gradient is cut, by shapes alone: runs of panels, whose sums over channels lie in the workspace
     * {@code [B, G, runs, chunks, 2, N, 32]}, and behind them the sums over time of each batch entry, {@code [B, D, N + 2]}.
     */
    private record Layout(long batches, long time, long width, long groups, long states, long panels, long perRun, long runs) {

        Layout(Args a, ScanSteps steps) {
            this(a.shape(0).dim(0), a.shape(0).dim(1), a.shape(0).last(), a.shape(3).dim(2), a.shape(2).last(),
                    Math.ceilDiv(a.shape(0).last() / a.shape(3).dim(2), steps.side()), 0, 0);
        }

        Layout {
            perRun = Math.max(1, Math.ceilDiv(panels, RUNS));
            runs = Math.ceilDiv(panels, perRun);
        }

        long items() {
            return batches * groups * runs;
        }

        Run run(long item, int side) {
            long group = item / runs % groups;
            long first = item % runs * perRun;
            long channels = width / groups;
            return new Run(item / runs / groups, group, group * channels + first * side, (group + 1) * channels,
                    (int) Math.min(perRun, panels - first), side);
        }

        /** Bytes before the states that a chunk starts with. */
        long border(long batch, long chunk) {
            return (batch * Math.ceilDiv(time, TIMES) + chunk) * states * width * 4;
        }

        /** Bytes of db and dc of one chunk. */
        long chunkBytes() {
            return 2 * states * LINE;
        }

        long runBytes() {
            return Math.ceilDiv(time, TIMES) * chunkBytes();
        }

        long channelSums() {
            return items() * runBytes();
        }

        long bytes() {
            return channelSums() + batches * width * (states + 2) * 4;
        }
    }

    /** Neighbouring panels of a group, from a channel on, and the end of the group. */
    private record Run(long batch, long group, long channel, long end, int panels, int side) {

        long channel(int panel, int side) {
            return channel + (long) panel * side;
        }

        int width() {
            return (int) Math.min((long) panels * side, end - channel);
        }

        int width(int panel, int side) {
            return (int) Math.min(side, end - channel(panel, side));
        }
    }

    private static long backwardItems(Args a, ScanSteps steps) {
        return new Layout(a, steps).items();
    }

    private static double backwardNanos(Args a, ScanSteps steps) {
        Layout layout = new Layout(a, steps);
        return 0.6 * steps.side() * layout.perRun * layout.time * (layout.states + 5);
    }

    private static void backward(Args a, long from, long to, ScanSteps steps) {
        Layout layout = new Layout(a, steps);
        for (long item = from; item < to; item++) {
            zero(a.workspace(), item * layout.runBytes(), layout.runBytes());
            backward(a, steps, layout, layout.run(item, steps.side()), item * layout.runBytes());
        }
    }

    private static void backward(Args a, ScanSteps steps, Layout layout, Run run, long sums) {
        boolean softplus = a.op(SelectiveScanGrad.class).softplus();
        int states = (int) layout.states;
        boolean gated = a.inputs() > 11;
        int side = steps.side();
        Rows at = new Rows(steps, states, 4, 5);
        MemorySegment s = a.scratch(at.bytes(run.panels));
        start(a, steps, layout, run, at, s, 5);
        for (int i = 0; i < run.panels; i++) {
            zero(s, at.one(i, DBIAS), 2 * at.row);
            zero(s, at.each(i, DA), states * at.row);
            turn(a.in(2), run.channel(i, side), states, run.width(i, side), side, 1, s, at.each(i, A));
            turn(a.in(9), run.batch * layout.width + run.channel(i, side), states, run.width(i, side), side, 1, s, at.each(i, LAMBDA));
        }
        Place p = Place.of(a, run.batch, run.group, run.channel);
        long borderBytes = layout.width * 4;
        for (long chunk = a.shape(7).dim(1) - 1; chunk >= 0; chunk--) {
            long t = chunk * TIMES;
            int rows = (int) Math.min(TIMES, layout.time - t);
            long from = p.first + t * p.rowBytes;
            long border = layout.border(run.batch, chunk) + p.channel;
            share(a, p, t, rows, states, s, at.shared);
            steps.load(a.in(7), border, borderBytes, states, run.width(), s, at.zero, 0, at.each(0, STATE), at.panel());
            inputs(a, steps, run, at, s, p, t, rows);
            steps.load(a.in(8), from, p.rowBytes, rows, run.width(), s, at.zero, 0, at.array(0, DY), at.panel());
            if (gated) {
                steps.load(a.in(11), from, p.rowBytes, rows, run.width(), s, at.zero, 0, at.array(0, Z), at.panel());
            }
            for (int i = 0; i < run.panels; i++) {
                steps(steps, at, s, i, softplus, rows);
                if (gated) {
                    steps.gate(s, at.array(i, DY), at.array(i, Z), G * at.array, rows * side);
                } else {
                    MemorySegment.copy(s, at.array(i, DY), s, G * at.array, rows * at.row);
                }
                zero(s, DW * at.array, at.array);
                zero(s, DDELTA * at.array, at.array);
                long ofChunk = sums + chunk * layout.chunkBytes();
                for (int n = 0; n < states; n++) {
                    long b = at.shared + n * LINE;
                    long c = at.shared + (states + n) * LINE;
                    steps.states(s, at.each(i, A2) + n * at.row, at.each(i, STATE) + n * at.row, b, c, rows);
                    steps.adjoints(s, at.each(i, A) + n * at.row, at.each(i, LAMBDA) + n * at.row, at.each(i, DA) + n * at.row, b, c, rows,
                            a.workspace(), ofChunk + n * LINE, ofChunk + (states + n) * LINE);
                }
                steps.inputs(s, at.array(i, U), at.array(i, RAW), at.one(i, SKIP), at.one(i, DBIAS), at.one(i, DSKIP), softplus, rows);
                if (gated) {
                    steps.gateSlope(s, at.array(i, DY), at.array(i, Z), Y * at.array, rows * side);
                }
            }
            for (int n = 0; n < states; n++) {
                long lambda = at.each(0, LAMBDA) + n * at.row;
                steps.load(a.in(10), border + n * borderBytes, 0, 1, run.width(), s, lambda, at.panel(), lambda, at.panel());
            }
            steps.store(s, at.array(0, U), at.panel(), rows, run.width(), a.out(0), from, p.rowBytes);
            steps.store(s, at.array(0, RAW), at.panel(), rows, run.width(), a.out(1), from, p.rowBytes);
            if (gated) {
                steps.store(s, at.array(0, DY), at.panel(), rows, run.width(), a.out(8), from, p.rowBytes);
            }
        }
        for (int i = 0; i < run.panels; i++) {
            finish(a, layout, s, at, i, run.batch, run.channel(i, side), run.width(i, side), side);
        }
    }

    /** The gradient of the state before, and the sums over time of a panel. */
    private static void finish(Args a, Layout layout, MemorySegment s, Rows at, int panel, long batch, long channel, int width, int side) {
        int states = (int) layout.states;
        turnBack(s, at.each(panel, LAMBDA), states, width, side, a.out(5), batch * layout.width + channel);
        MemorySegment sums = a.workspace().asSlice(layout.channelSums() + (batch * layout.width + channel) * (states + 2) * 4);
        for (int i = 0; i < width; i++) {
            long to = (long) i * (states + 2) * 4;
            for (int n = 0; n < states; n++) {
                sums.set(F, to + n * 4L, s.get(F, at.each(panel, DA) + n * at.row + i * 4L));
            }
            sums.set(F, to + states * 4L, s.get(F, at.one(panel, DBIAS) + i * 4L));
            sums.set(F, to + states * 4L + 4, s.get(F, at.one(panel, DSKIP) + i * 4L));
        }
    }

    /** db and dc of one time of one batch entry: the runs of each group, added in order. */
    private static void gatherTimes(Args a, long from, long to, ScanSteps steps) {
        Layout layout = new Layout(a, steps);
        for (long item = from; item < to; item++) {
            long batch = item / layout.time;
            long t = item % layout.time;
            for (long group = 0; group < layout.groups; group++) {
                for (int which = 0; which < 2; which++) {
                    long first = (batch * layout.groups + group) * layout.runs * layout.runBytes()
                            + t / TIMES * layout.chunkBytes() + which * layout.states * LINE + t % TIMES * 4;
                    for (long n = 0; n < layout.states; n++) {
                        float sum = 0;
                        for (long run = 0; run < layout.runs; run++) {
                            sum += a.workspace().get(F, first + run * layout.runBytes() + n * LINE);
                        }
                        a.out(3 + which).set(F, ((item * layout.groups + group) * layout.states + n) * 4, sum);
                    }
                }
            }
        }
    }

    /** da, dbias and dskip of one channel: the batch entries, added in order. */
    private static void gatherChannels(Args a, long from, long to, ScanSteps steps) {
        Layout layout = new Layout(a, steps);
        for (long channel = from; channel < to; channel++) {
            for (long n = 0; n < layout.states + 2; n++) {
                double sum = 0;
                for (long batch = 0; batch < layout.batches; batch++) {
                    sum += a.workspace().get(F, layout.channelSums() + ((batch * layout.width + channel) * (layout.states + 2) + n) * 4);
                }
                if (n < layout.states) {
                    a.out(2).set(F, (channel * layout.states + n) * 4, (float) sum);
                } else {
                    a.out(n == layout.states ? 6 : 7).set(F, channel * 4, (float) sum);
                }
            }
        }
    }

    // ---- warm-up ----

    /** Scratch that nobody reads: the common arrays, two panels, and memory that stands for inputs. */
    private static final class Practice {
        private static final int SIDE = 64;
        private static final MemorySegment S = Arena.global().allocate((ARRAYS + 12L) * TIMES * SIDE * 4, 64);
        private static final MemorySegment X = Arena.global().allocate(64L * SIDE * 8, 64);
    }

    private static void exercise(ScanSteps steps) {
        MemorySegment s = Practice.S;
        MemorySegment x = Practice.X;
        int side = steps.side();
        Rows at = new Rows(steps, 2, 4, 5);
        int all = TIMES * side;
        for (int i = 0; i < side; i++) {
            s.set(F, at.each(0, A2) + i * 4L, -0.1f * (i % 7));
        }
        for (int which = U; which <= DY; which++) {
            steps.load(x, 0, 2 * at.row, TIMES, 2 * side, s, at.zero, 0, at.array(0, which), at.panel());
            steps.load(x, 0, 2 * at.row, TIMES, 2 * side - 3, s, at.zero, 0, at.array(0, which), at.panel());
        }
        steps(steps, at, s, 0, true, TIMES);
        steps.gate(s, at.array(0, DY), at.array(0, Z), G * at.array, all);
        for (int n = 0; n < 2; n++) {
            steps.states(s, at.each(0, A2), at.each(0, STATE), at.shared, at.shared + 2 * LINE, TIMES);
            steps.adjoints(s, at.each(0, A2), at.each(0, LAMBDA), at.each(0, DA), at.shared, at.shared + 2 * LINE, TIMES, x, 0, LINE);
        }
        steps.inputs(s, at.array(0, U), at.array(0, RAW), at.one(0, SKIP), at.one(0, DBIAS), at.one(0, DSKIP), true, TIMES);
        steps.gateSlope(s, at.array(0, DY), at.array(0, Z), Y * at.array, all);
        steps.store(s, at.array(0, U), at.panel(), TIMES, 2 * side, x, 0, 2 * at.row);
        steps.store(s, at.array(0, U), at.panel(), TIMES, 2 * side - 3, x, 0, 2 * at.row);
        steps.channels(s, at.one(0, BIAS), at.one(0, SKIP), at.one(0, DBIAS), 0, 16, x, x, 0, 16, x, 0, x, 64);
        zero(x, 0, x.byteSize());
        zero(s, at.zero, at.bytes(1) - at.zero);
    }
}
