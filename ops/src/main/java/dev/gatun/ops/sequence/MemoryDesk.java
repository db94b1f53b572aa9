package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.MatrixSteps.F;
import static dev.gatun.ops.sequence.MatrixSteps.padded;
import static dev.gatun.ops.sequence.MatrixSteps.rowBytes;

import dev.gatun.engine.DType;
import dev.gatun.engine.lanes.Access;
import dev.gatun.engine.lanes.Expr;
import dev.gatun.engine.lanes.LaneCompiler;
import dev.gatun.engine.lanes.Loop;
import dev.gatun.ops.Activations.Activation;
import dev.gatun.ops.Curve;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.List;

/**
 * A thread's scratch memory as a desk of padded matrices, and what {@link MemorySweep} does with them. Features are rows,
 * tokens are columns. What lies behind the last row and column is zero.
 */
final class MemoryDesk {

    /** A matrix on the desk: where it starts, bytes from row to row, its size, and its size with padding. */
    record Block(long at, long row, int height, int width, int rows, int columns) {

        static Block of(long at, int height, int width) {
            return new Block(at, rowBytes(padded(width)), height, width, padded(height), padded(width));
        }

        /** So many rows of this from one on; their padding is the next rows. */
        Block part(int from, int height) {
            return new Block(at + from * row, row, height, width, padded(height), columns);
        }

        long end() {
            return at + rows * row;
        }

        float get(MemorySegment s, int i, int j) {
            return s.get(F, at + i * row + j * 4L);
        }

        void set(MemorySegment s, int i, int j, float x) {
            s.set(F, at + i * row + j * 4L, x);
        }
    }

    private static final Expr A = Expr.input(0);
    private static final Expr B = Expr.input(1);
    private static final Expr C = Expr.input(2);

    /** gelu, gelu' and gelu'', which share their exponential and error function. */
    static final Loop CURVES = LaneCompiler.compile(DType.F32, List.of(DType.F32), Collections.nCopies(3, DType.F32),
            List.of(new Activation(Curve.GELU, 0).body(A), new Activation(Curve.GELU, 1).body(A), new Activation(Curve.GELU, 2).body(A)),
            List.of(Access.DENSE));
    /** {@code a b c}. */
    static final Loop BEND = loop(3, A.mul(B).mul(C));
    static final Loop MINUS = loop(1, A.neg());
    static final Loop PLUS = loop(2, A.add(B));
    static final Loop TIMES = loop(2, A.mul(B));
    static final Loop TIMES_PLUS = loop(3, A.mul(B).add(C));
    /** {@code 2 (a - b)}, {@code 2 (a + c - b)}. */
    static final Loop ERROR = loop(2, A.sub(B).mul(2));
    static final Loop RESIDUAL_ERROR = loop(3, A.add(C).sub(B).mul(2));
    /** Numbers of the call times matrices. */
    static final Loop SCALED = loop(1, A.mul(Expr.parameter(0)));
    static final Loop BLEND = loop(2, A.mul(Expr.parameter(0)).add(B.mul(Expr.parameter(1))));

    static final Loop MIX = loop(3, A.mul(Expr.parameter(0)).add(B.add(C).mul(Expr.parameter(1))));

    private static final double[] NONE = {};

    private static Loop loop(int inputs, Expr body) {
        return LaneCompiler.compile(DType.F32, Collections.nCopies(inputs, DType.F32), List.of(DType.F32), List.of(body),
                Collections.nCopies(inputs, Access.DENSE));
    }

    final MatrixSteps steps;
    MemorySegment s;
    private long end;

    MemoryDesk(MatrixSteps steps) {
        this.steps = steps;
    }

    /** Bytes that all blocks take. */
    long bytes() {
        return end;
    }

    Block block(int height, int width) {
        Block block = Block.of(end, height, width);
        end = block.end();
        return block;
    }

    /** {@code c = scale a b}, or that added. */
    void product(Block a, Block b, Block c, float scale, boolean adds) {
        steps.product(s, a.at, a.row, 4, b.at, b.row, c.at, c.row, c.rows, c.columns, a.width, scale, adds);
    }

    /** {@code c = scale aᵀ b}, or that added. */
    void turnedProduct(Block a, Block b, Block c, float scale, boolean adds) {
        steps.product(s, a.at, 4, a.row, b.at, b.row, c.at, c.row, c.rows, c.columns, a.height, scale, adds);
    }

    /** {@code c = scale a b}, or that added, where that is symmetric. */
    void mirrored(Block a, Block b, Block c, float scale, boolean adds) {
        steps.mirrored(s, a.at, a.row, b.at, b.row, c.at, c.row, c.rows, a.width, scale, adds);
    }

    void turn(Block from, Block to) {
        steps.transpose(s, from.at, from.row, to.at, to.row, from.rows, from.columns);
    }

    /** A loop over blocks of one size, inputs and then outputs, with numbers of the call. */
    void run(Loop loop, double[] numbers, Block... blocks) {
        Block like = blocks[0];
        MemorySegment[] memory = new MemorySegment[blocks.length];
        long[] offsets = new long[blocks.length];
        long[] rows = new long[blocks.length];
        for (int i = 0; i < blocks.length; i++) {
            memory[i] = s;
            offsets[i] = blocks[i].at;
            rows[i] = blocks[i].row;
        }
        boolean gapless = like.row == like.columns * 4L;
        loop.run(memory, offsets, rows, NEIGHBOURS, numbers, gapless ? 1 : like.rows, gapless ? like.rows * like.columns : like.columns);
    }

    private static final long[] NEIGHBOURS = {1, 1, 1, 1, 1};

    void run(Loop loop, Block... blocks) {
        run(loop, NONE, blocks);
    }

    /** Each column of a times its number of a row. */
    void scaleColumns(Block a, Block by, Block to) {
        steps.scaleColumns(s, a.at, by.at, to.at, a.row, a.rows, a.columns, false);
    }

    /** {@code a by + b with}, numbers of rows for each column; to may be a. */
    void mixColumns(Block a, Block by, Block b, Block with, Block to) {
        steps.scaleColumns(s, a.at, by.at, to.at, a.row, a.rows, a.columns, false);
        steps.scaleColumns(s, b.at, with.at, to.at, a.row, a.rows, a.columns, true);
    }

    /** {@code to += a by}. */
    void mixColumns(Block a, Block by, Block to) {
        steps.scaleColumns(s, a.at, by.at, to.at, a.row, a.rows, a.columns, true);
    }

    /** {@code sums[t] += sum over d of a[d, t] b[d, t]}. */
    void addDots(Block a, Block b, Block sums) {
        steps.addDots(s, a.at, b.at, sums.at, a.row, a.rows, a.columns);
    }

    /** {@code sum of a b}. */
    float dot(Block a, Block b) {
        float sum = 0;
        for (int d = 0; d < a.height; d++) {
            sum += steps.rows().dot(s, a.at + d * a.row, s, b.at + d * b.row, a.width);
        }
        return sum;
    }

    void clear(Block block) {
        s.asSlice(block.at, block.end() - block.at).fill((byte) 0);
    }

    /** A matrix of a tensor. */
    void load(MemorySegment x, long item, Block to) {
        load(x, item * to.height * to.width, to.width, to);
    }

    /** Rows of a tensor from an element on, so many elements apart. */
    void load(MemorySegment x, long from, long apart, Block to) {
        if (to.height < to.rows || to.width < to.columns) {
            clear(to);
        }
        for (int i = 0; i < to.height; i++) {
            MemorySegment.copy(x, (from + i * apart) * 4, s, to.at + i * to.row, to.width * 4L);
        }
    }

    /** So many rows of a tensor, from an element on, into rows of a block. */
    void put(MemorySegment x, long from, Block to, int first, int height) {
        for (int i = 0; i < height; i++) {
            MemorySegment.copy(x, (from + (long) i * to.width) * 4, s, to.at + (first + i) * to.row, to.width * 4L);
        }
    }

    /** The part of a block that starts at this row and column. */
    void cut(Block from, int row, int column, Block to) {
        clear(to);
        for (int i = 0; i < to.height; i++) {
            MemorySegment.copy(s, from.at + (row + i) * from.row + column * 4L, s, to.at + i * to.row, to.width * 4L);
        }
    }

    /** So many rows from one on, turned. */
    void cutTurned(Block from, int row, int height, Block to) {
        clear(to);
        for (int i = 0; i < height; i++) {
            for (int j = 0; j < to.height; j++) {
                to.set(s, j, i, from.get(s, row + i, j));
            }
        }
    }

    void store(Block from, MemorySegment y, long item) {
        storeAt(from, y, item * from.height * from.width);
    }

    /** A matrix to a place in a tensor, counted in elements. */
    void storeAt(Block from, MemorySegment y, long at) {
        for (int i = 0; i < from.height; i++) {
            MemorySegment.copy(s, from.at + i * from.row, y, (at + (long) i * from.width) * 4, from.width * 4L);
        }
    }
}
