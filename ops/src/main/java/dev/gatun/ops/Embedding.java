package dev.gatun.ops;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** {@code y[…, :] = weight[ids[…], :]}: rows of a table [V, D] picked by whole numbers. A table that only stores numbers is widened. */
public record Embedding() implements Op {

    private static final List<Kernel> KERNELS = List.of(
            Kernel.scalar(Embedding::items, Embedding::rowsF32),
            Kernel.reference(Embedding::items, Embedding::rows),
            Kernel.cuda(EmbeddingLaunch::rows));

    /** Rows of {@code weight} [V, D] for ids of any shape. */
    public static Tensor embedding(Tensor weight, Tensor ids) {
        return new Embedding().apply(weight, ids);
    }

    @Override
    public List<String> arguments() {
        return List.of("weight", "ids");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype());
        requireIds(in[1]);
        if (in[0].shape().rank() != 2) {
            throw new ShapeException("the table has two axes, this one has " + in[0].shape().rank());
        }
        DType dtype = in[0].dtype().isStorage() ? DType.F32 : in[0].dtype();
        return List.of(new Spec(dtype, in[1].shape().insert(-1, in[0].shape().last())));
    }

    private static void requireIds(Spec ids) {
        if (ids.dtype() != DType.I64 && ids.dtype() != DType.I32) {
            throw new DTypeException("ids are whole numbers, not " + ids.dtype());
        }
    }

    @Override
    public boolean takesStorageTypes() {
        return true;
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    private static long items(Args a) {
        return a.shape(1).elements();
    }

    private static long id(Args a, long at, long rows) {
        long id = a.getLong(1, at);
        if (id < 0 || id >= rows) {
            throw new IndexOutOfBoundsException(a.op().name() + ": id " + id + " of a table with " + rows + " rows\n  "
                    + a.op().arguments().get(0) + ": " + a.spec(0) + "\n  ids: " + a.spec(1));
        }
        return id;
    }

    static void rows(Args a, long from, long to) {
        long width = a.shape(0).last();
        for (long item = from; item < to; item++) {
            long row = id(a, item, a.shape(0).dim(0));
            for (long i = 0; i < width; i++) {
                a.set(0, item * width + i, a.get(0, row * width + i));
            }
        }
    }

    static void rowsF32(Args a, long from, long to) {
        long bytes = a.shape(0).last() * 4;
        for (long item = from; item < to; item++) {
            MemorySegment.copy(a.in(0), id(a, item, a.shape(0).dim(0)) * bytes, a.out(), item * bytes, bytes);
        }
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        Tensor weight = b.in(0);
        return List.of(new EmbeddingGradient(weight.dim(0)).apply(b.g(), b.in(1)).to(weight.dtype()), b.none());
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new Embedding(), Shape.of(7, 5), Shape.of(2, 9)).integers(1, 0, 7),
                Sample.of(new Embedding(), Shape.of(3, 70), Shape.of(4)).integers(1, 0, 3));
    }

    /**
     * {@code y[v, :] = sum of g[i, :] over the i with ids[i] = v}, i in order. Ids are sorted once, by
     * counting; then every row of the table is a sum of its own, so that rows need no order among them.
     */
    public record EmbeddingGradient(long rows) implements Op {

        private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
        /** Columns that one item sums; places whose sum is made apart, so that no sum has a long chain. */
        private static final int PANEL = 128;
        private static final int RUN = 64;

        private static final List<Kernel> KERNELS = List.of(
                Kernel.vector(a -> 1, EmbeddingGradient::sort)
                        .then(EmbeddingGradient::panels, (a, from, to) -> panelsF32(a, from, to, VectorRows.STEPS))
                        .workspace(EmbeddingGradient::workspaceBytes),
                Kernel.scalar(a -> 1, EmbeddingGradient::sort)
                        .then(EmbeddingGradient::panels, (a, from, to) -> panelsF32(a, from, to, RowSteps.plain()))
                        .workspace(EmbeddingGradient::workspaceBytes),
                Kernel.reference(a -> 1, EmbeddingGradient::sort)
                        .then(a -> a.op(EmbeddingGradient.class).rows, EmbeddingGradient::rows)
                        .workspace(EmbeddingGradient::workspaceBytes),
                Kernel.cuda(EmbeddingLaunch::gradient));

        @Override
        public List<String> arguments() {
            return List.of("g", "ids");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            Elementwise.real(in[0].dtype());
            requireIds(in[1]);
            if (in[0].shape().rank() == 0 || !in[0].shape().drop(-1).equals(in[1].shape())) {
                throw new ShapeException("a row for each id is needed: g is " + in[0].shape() + ", ids are " + in[1].shape());
            }
            return List.of(in[0].with(Shape.of(rows, in[0].shape().last())));
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        /** Where the places of each row end in the list that follows, then the places, row by row. */
        private static long workspaceBytes(Args a) {
            return (a.op(EmbeddingGradient.class).rows + 1 + a.shape(1).elements()) * 8;
        }

        private static void sort(Args a, long from, long to) {
            long rows = a.op(EmbeddingGradient.class).rows;
            long count = a.shape(1).elements();
            MemorySegment ends = a.workspace();
            MemorySegment places = ends.asSlice((rows + 1) * 8);
            ends.asSlice(0, (rows + 1) * 8).fill((byte) 0);
            for (long i = 0; i < count; i++) {
                long next = id(a, i, rows) + 1;
                ends.setAtIndex(LONG, next, ends.getAtIndex(LONG, next) + 1);
            }
            for (long row = 0; row < rows; row++) {
                ends.setAtIndex(LONG, row + 1, ends.getAtIndex(LONG, row + 1) + ends.getAtIndex(LONG, row));
            }
            // Each start moves on as it is used and so becomes the end.
            for (long i = 0; i < count; i++) {
                long row = a.getLong(1, i);
                long place = ends.getAtIndex(LONG, row);
                places.setAtIndex(LONG, place, i);
                ends.setAtIndex(LONG, row, place + 1);
            }
        }

        private static long panels(Args a) {
            return a.op(EmbeddingGradient.class).rows * Math.ceilDiv(a.shape(0).last(), PANEL);
        }

        /** One item is a run of columns of a row of the table. */
        private static void panelsF32(Args a, long from, long to, RowSteps steps) {
            long rows = a.op(EmbeddingGradient.class).rows;
            long width = a.shape(0).last();
            MemorySegment ends = a.workspace();
            MemorySegment places = ends.asSlice((rows + 1) * 8);
            MemorySegment run = a.scratch(PANEL * 4);
            for (long item = from; item < to; item++) {
                long row = item % rows;
                long column = item / rows * PANEL;
                int n = (int) Math.min(PANEL, width - column);
                long place = row == 0 ? 0 : ends.getAtIndex(LONG, row - 1);
                long end = ends.getAtIndex(LONG, row);
                MemorySegment sum = a.out().asSlice((row * width + column) * 4, n * 4L);
                sum.fill((byte) 0);
                while (place < end) {
                    long last = Math.min(place + RUN, end);
                    run.asSlice(0, n * 4L).fill((byte) 0);
                    for (; place < last; place++) {
                        steps.add(a.in(0), (places.getAtIndex(LONG, place) * width + column) * 4, run, 0, n);
                    }
                    steps.add(run, 0, sum, 0, n);
                }
            }
        }

        static void rows(Args a, long from, long to) {
            long rows = a.op(EmbeddingGradient.class).rows;
            long width = a.shape(0).last();
            MemorySegment ends = a.workspace();
            MemorySegment places = ends.asSlice((rows + 1) * 8);
            for (long row = from; row < to; row++) {
                long first = row == 0 ? 0 : ends.getAtIndex(LONG, row - 1);
                long end = ends.getAtIndex(LONG, row);
                for (long i = 0; i < width; i++) {
                    double sum = 0;
                    for (long place = first; place < end; place++) {
                        sum += a.get(0, places.getAtIndex(LONG, place) * width + i);
                    }
                    a.set(0, row * width + i, sum);
                }
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(embedding(b.g(), b.in(1)), b.none());
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new EmbeddingGradient(7), Shape.of(2, 9, 5), Shape.of(2, 9)).integers(1, 0, 7),
                    Sample.of(new EmbeddingGradient(3), Shape.of(40, 70), Shape.of(40)).integers(1, 0, 3));
        }
    }
}
