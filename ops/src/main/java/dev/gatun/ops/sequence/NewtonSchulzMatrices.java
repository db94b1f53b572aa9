package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.MatrixSteps.F;
import static dev.gatun.ops.sequence.MatrixSteps.padded;
import static dev.gatun.ops.sequence.MatrixSteps.rowBytes;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * {@link NewtonSchulz} and its gradient in F32, one matrix an item, all iterates in scratch memory. A tall matrix is turned on
 * the way in and out, so that there are r rows of c columns with r at most c.
 */
final class NewtonSchulzMatrices {

    private NewtonSchulzMatrices() {}

    static List<Kernel> forward() {
        return List.of(
                Kernel.vector(NewtonSchulzMatrices::items, (a, from, to) -> forward(a, from, to, MatrixForms.fast()))
                        .costing(a -> nanos(a, 4, 2)).when(MatrixForms::answers).warmsItself(),
                Kernel.scalar(NewtonSchulzMatrices::items, (a, from, to) -> forward(a, from, to, MatrixSteps.PLAIN))
                        .costing(a -> 20 * nanos(a, 4, 2)));
    }

    static List<Kernel> gradient() {
        return List.of(
                Kernel.vector(NewtonSchulzMatrices::items, (a, from, to) -> gradient(a, from, to, MatrixForms.fast()))
                        .costing(a -> nanos(a, 10, 4)).when(MatrixForms::answers).warmsItself(),
                Kernel.scalar(NewtonSchulzMatrices::items, (a, from, to) -> gradient(a, from, to, MatrixSteps.PLAIN))
                        .costing(a -> 20 * nanos(a, 10, 4)));
    }

    private static long items(Args a) {
        long size = a.shape(0).dim(-2) * a.shape(0).last();
        return size == 0 ? 0 : a.shape(0).elements() / size;
    }

    /** At 100 operations a nanosecond. */
    private static double nanos(Args a, int wide, int square) {
        double r = Math.min(a.shape(0).dim(-2), a.shape(0).last());
        double c = Math.max(a.shape(0).dim(-2), a.shape(0).last());
        return 100 + 5 * (wide * r * r * c + square * r * r * r) / 100;
    }

    /** Where the matrices of a call lie in scratch memory. */
    private static final class Room {
        final int r;
        final int c;
        final boolean tall;
        final int rows;
        final int columns;
        final long wideRow;
        final long narrowRow;
        final MemorySegment s;
        private long end;

        Room(Args a, int wide, int square) {
            long height = a.shape(0).dim(-2);
            long width = a.shape(0).last();
            tall = height > width;
            r = (int) Math.min(height, width);
            c = (int) Math.max(height, width);
            rows = padded(r);
            columns = padded(c);
            wideRow = rowBytes(columns);
            narrowRow = rowBytes(rows);
            s = a.scratch(wide * rows * wideRow + columns * narrowRow + square * rows * narrowRow);
        }

        long wide() {
            long at = end;
            end += rows * wideRow;
            return at;
        }

        long narrow(int height) {
            long at = end;
            end += height * narrowRow;
            return at;
        }

        /** A matrix of the tensor, times a factor, in rows of c; the padding is zero. */
        void load(MatrixSteps steps, MemorySegment x, long item, float factor, long to, long through) {
            s.asSlice(to, rows * wideRow).fill((byte) 0);
            int height = tall ? c : r;
            int width = tall ? r : c;
            long row = tall ? narrowRow : wideRow;
            long at = tall ? through : to;
            if (tall) {
                s.asSlice(through, columns * narrowRow).fill((byte) 0);
            }
            for (int i = 0; i < height; i++) {
                steps.rows().affine(x, (item * height + i) * width * 4, factor, 0, s, at + i * row, width);
            }
            if (tall) {
                steps.transpose(s, through, narrowRow, to, wideRow, columns, rows);
            }
        }

        /** The other way. */
        void store(MatrixSteps steps, long from, long through, float factor, MemorySegment y, long item) {
            if (tall) {
                steps.transpose(s, from, wideRow, through, narrowRow, rows, columns);
            }
            int height = tall ? c : r;
            int width = tall ? r : c;
            for (int i = 0; i < height; i++) {
                steps.rows().affine(s, (tall ? through + i * narrowRow : from + i * wideRow), factor, 0, y,
                        (item * height + i) * width * 4, width);
            }
        }

        int square() {
            return (int) (rows * narrowRow / 4);
        }
    }

    private static float length(MatrixSteps steps, MemorySegment x, long item, Room room) {
        return (float) Math.sqrt(steps.rows().squares(x, item * room.r * room.c * 4, 0, room.r * room.c));
    }

    static void forward(Args a, long from, long to, MatrixSteps steps) {
        NewtonSchulz op = a.op(NewtonSchulz.class);
        Room room = new Room(a, 2, 2);
        MemorySegment s = room.s;
        long turned = room.narrow(room.columns);
        long gram = room.narrow(room.rows);
        long mix = room.narrow(room.rows);
        long one = room.wide();
        long two = room.wide();
        for (long item = from; item < to; item++) {
            float length = length(steps, a.in(0), item, room);
            long x = one;
            long next = two;
            room.load(steps, a.in(0), item, (float) (1 / (length + op.eps())), x, turned);
            for (int step = 0; step < op.steps(); step++) {
                steps.transpose(s, x, room.wideRow, turned, room.narrowRow, room.rows, room.columns);
                steps.gram(s, x, room.wideRow, turned, room.narrowRow, gram, room.narrowRow, room.rows, room.c);
                mix(steps, room, gram, mix);
                steps.product(s, mix, room.narrowRow, 4, x, room.wideRow, next, room.wideRow, room.rows, room.columns, room.r, 1, false);
                long swap = x;
                x = next;
                next = swap;
            }
            room.store(steps, x, turned, 1, a.out(), item);
        }
    }

    /** {@code a I + b A + c A²}. */
    private static void mix(MatrixSteps steps, Room room, long gram, long mix) {
        steps.rows().affine(room.s, gram, (float) NewtonSchulz.B, 0, room.s, mix, room.square());
        steps.product(room.s, gram, room.narrowRow, 4, gram, room.narrowRow, mix, room.narrowRow, room.rows, room.rows, room.r,
                (float) NewtonSchulz.C, true);
        for (int i = 0; i < room.r; i++) {
            long at = mix + i * (room.narrowRow + 4);
            room.s.set(F, at, room.s.get(F, at) + (float) NewtonSchulz.A);
        }
    }

    /** The derivative of all iterates along g; see {@link NewtonSchulzGradient}. */
    static void gradient(Args a, long from, long to, MatrixSteps steps) {
        NewtonSchulzGradient op = a.op(NewtonSchulzGradient.class);
        Room room = new Room(a, 4, 5);
        MemorySegment s = room.s;
        long turned = room.narrow(room.columns);
        long gram = room.narrow(room.rows);
        long mix = room.narrow(room.rows);
        long slope = room.narrow(room.rows);
        long bend = room.narrow(room.rows);
        long other = room.narrow(room.rows);
        long[] xs = {room.wide(), room.wide()};
        long[] ts = {room.wide(), room.wide()};
        int size = room.r * room.c;
        for (long item = from; item < to; item++) {
            float length = length(steps, a.in(0), item, room);
            float scale = (float) (1 / (length + op.eps()));
            room.load(steps, a.in(0), item, scale, xs[0], turned);
            room.load(steps, a.in(1), item, 1, ts[0], turned);
            for (int step = 0; step < op.steps(); step++) {
                long x = xs[step % 2];
                long t = ts[step % 2];
                steps.transpose(s, x, room.wideRow, turned, room.narrowRow, room.rows, room.columns);
                steps.gram(s, x, room.wideRow, turned, room.narrowRow, gram, room.narrowRow, room.rows, room.c);
                mix(steps, room, gram, mix);
                steps.product(s, t, room.wideRow, 4, turned, room.narrowRow, slope, room.narrowRow, room.rows, room.rows, room.c, 1, false);
                symmetric(steps, room, slope, other);
                steps.product(s, slope, room.narrowRow, 4, gram, room.narrowRow, bend, room.narrowRow, room.rows, room.rows, room.r,
                        (float) NewtonSchulz.C, false);
                symmetric(steps, room, bend, other);
                steps.rows().affine(s, slope, (float) NewtonSchulz.B, 0, s, other, room.square());
                steps.rows().add(s, other, s, bend, room.square());
                long nextT = ts[(step + 1) % 2];
                steps.product(s, mix, room.narrowRow, 4, t, room.wideRow, nextT, room.wideRow, room.rows, room.columns, room.r, 1, false);
                steps.product(s, bend, room.narrowRow, 4, x, room.wideRow, nextT, room.wideRow, room.rows, room.columns, room.r, 1, true);
                if (step < op.steps() - 1) {
                    steps.product(s, mix, room.narrowRow, 4, x, room.wideRow, xs[(step + 1) % 2], room.wideRow, room.rows, room.columns,
                            room.r, 1, false);
                }
            }
            room.store(steps, ts[op.steps() % 2], turned, scale, a.out(), item);
            if (length > 0) {
                // what the division by the length takes back: the part along x
                float along = steps.rows().dot(a.out(), item * size * 4, a.in(0), item * size * 4, size);
                steps.rows().affine(a.in(0), item * size * 4, -along * scale / length, 0, s, 0, size);
                steps.rows().add(s, 0, a.out(), item * size * 4, size);
            }
        }
    }

    /** {@code m + mᵀ}, in place. */
    private static void symmetric(MatrixSteps steps, Room room, long m, long other) {
        steps.transpose(room.s, m, room.narrowRow, other, room.narrowRow, room.rows, room.rows);
        steps.rows().add(room.s, other, room.s, m, room.square());
    }
}
