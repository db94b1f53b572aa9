package dev.gatun.engine.lanes;

import dev.gatun.engine.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/**
 * One elementwise computation over any layout: bodies and types are fixed, strides and sizes are not. Axes that follow
 * one another in memory are merged, and the innermost axis that remains decides which loop runs; each is emitted when
 * it is first asked for and kept.
 */
public final class Rows {

    private static final int LONGEST = 1 << 30;
    /** Elements in one call for several rows: a loop may pass over them twice, and then they should still be cached. */
    private static final int BATCH = 1 << 14;
    /** More would not fit into the key of a loop, three accesses each. */
    private static final int MOST_INPUTS = 39;

    private final DType lanes;
    private final List<DType> in;
    private final List<DType> out;
    private final Program program;
    private final boolean vectors;
    private final int[] bytes;
    private final ConcurrentHashMap<Long, Loop> loops = new ConcurrentHashMap<>();

    /**
     * A computation of {@code bodies}, one for each output, in the type {@code lanes}.
     *
     * @param vectors whether loops may use the Vector API, where it is there and has the types
     */
    public Rows(DType lanes, List<DType> in, List<DType> out, List<Expr> bodies, boolean vectors) {
        if (in.size() > MOST_INPUTS) {
            throw new IllegalArgumentException("lanes: at most " + MOST_INPUTS + " inputs, not " + in.size());
        }
        this.vectors = vectors;
        this.lanes = lanes;
        this.in = List.copyOf(in);
        this.out = List.copyOf(out);
        this.program = LaneCompiler.program(lanes, in, out, bodies);
        this.bytes = new int[in.size() + out.size()];
        for (int k = 0; k < bytes.length; k++) {
            bytes[k] = (k < in.size() ? in.get(k) : out.get(k - in.size())).bytes();
        }
    }

    /**
     * Computes the elements {@code from} up to {@code to}, counted along the outputs, which are contiguous.
     *
     * @param blocks inputs, then outputs
     * @param byteOffsets where each starts
     * @param strides for each input one stride, in elements, for each axis; 0 along axes it is repeated on
     * @param dims sizes of the outputs' axes
     * @param parameters the numbers that {@link Expr#parameter} names
     */
    public void run(
            MemorySegment[] blocks, long[] byteOffsets, long[][] strides, long[] dims, double[] parameters,
            long from, long to) {
        if (from >= to) {
            return;
        }
        int inputs = in.size();
        long[] size = new long[Math.max(1, dims.length)];
        long[][] step = new long[size.length][inputs];
        int axes = merge(strides, dims, size, step);
        long n = size[0];
        long[] inner = step[0];
        Loop loop = loop(inner);

        long[] rowBytes = new long[blocks.length];
        for (int k = 0; k < blocks.length; k++) {
            rowBytes[k] = bytes[k] * (k >= inputs ? n : axes > 1 ? step[1][k] : 0);
        }
        long[] at = byteOffsets.clone();          // of each input: the current row; of each output: the current element
        for (int k = inputs; k < at.length; k++) {
            at[k] += from * bytes[k];
        }
        long[] row = new long[axes];              // the current row's place on each axis but the innermost
        long column = from % n;
        long outer = from / n;
        for (int a = 1; a < axes; a++) {
            row[a] = outer % size[a];
            outer /= size[a];
            for (int k = 0; k < inputs; k++) {
                at[k] += row[a] * step[a][k] * bytes[k];
            }
        }

        long[] start = axes > 1 || column > 0 || n > LONGEST ? new long[at.length] : at;
        while (true) {
            long length;                          // of the piece of a row, or of each of several whole rows
            long rows = 1;
            if (column > 0 || n > LONGEST || to - from < n || axes == 1) {
                length = Math.min(Math.min(n - column, to - from), LONGEST);
            } else {
                length = n;
                rows = Math.min(Math.min(size[1] - row[1], (to - from) / n), Math.max(1, BATCH / n));
            }
            if (start != at) {
                for (int k = 0; k < at.length; k++) {
                    start[k] = k < inputs ? at[k] + column * inner[k] * bytes[k] : at[k];
                }
            }
            loop.run(blocks, start, rowBytes, inner, parameters, (int) rows, (int) length);
            long done = rows * length;
            from += done;
            if (from >= to) {
                return;
            }
            for (int k = inputs; k < at.length; k++) {
                at[k] += done * bytes[k];
            }
            column += length;
            if (column == n) {
                column = 0;
                advance(row, rows, size, step, at);
            }
        }
    }

    /** Takes the axes from the innermost outwards, those that can be walked as one together; the number that remain. */
    private static int merge(long[][] strides, long[] dims, long[] size, long[][] step) {
        int axes = 0;
        for (int d = dims.length - 1; d >= 0; d--) {
            if (dims[d] == 1) {
                continue;
            }
            boolean joins = axes > 0;
            for (int k = 0; joins && k < strides.length; k++) {
                joins = strides[k][d] == step[axes - 1][k] * size[axes - 1];
            }
            if (joins) {
                size[axes - 1] *= dims[d];
                continue;
            }
            for (int k = 0; k < strides.length; k++) {
                step[axes][k] = strides[k][d];
            }
            size[axes++] = dims[d];
        }
        if (axes == 0) {
            size[0] = 1;
            Arrays.fill(step[0], 1);
            axes = 1;
        }
        return axes;
    }

    private void advance(long[] row, long rows, long[] size, long[][] step, long[] at) {
        for (int a = 1; a < row.length; a++) {
            long moved = a == 1 ? rows : 1;
            row[a] += moved;
            boolean carry = row[a] == size[a];
            long by = carry ? moved - size[a] : moved;
            for (int k = 0; k < in.size(); k++) {
                at[k] += by * step[a][k] * bytes[k];
            }
            if (!carry) {
                return;
            }
            row[a] = 0;
        }
    }

    private Loop loop(long[] inner) {
        long key = 0;
        for (long stride : inner) {
            key = key * 3 + Access.of(stride).ordinal();
        }
        Loop loop = loops.get(key);
        return loop != null ? loop : loops.computeIfAbsent(key, any -> emit(inner));
    }

    private Loop emit(long[] inner) {
        List<Access> access = Arrays.stream(inner).mapToObj(Access::of).toList();
        LaneCompiler.Form form = new LaneCompiler.Form(lanes, in, out, program, access);
        return vectors ? LaneCompiler.loop(form) : LaneCompiler.scalar(form);
    }
}
