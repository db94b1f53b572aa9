package dev.gatun.engine.lanes;

import dev.gatun.engine.DType;
import dev.gatun.engine.lanes.Expr.Op;
import dev.gatun.engine.lanes.Program.Step;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A program too long for one method, which the JVM would never compile, as several loops that hand on what is needed
 * later in scratch memory, a piece of a row at a time. Outputs are written by the last one only, since they may be the
 * memory of an input.
 */
final class Stages implements Loop {

    /** Steps in one loop: under 8,000 bytes of code, the JVM's limit for methods it compiles. */
    static final int MOST_STEPS = 300;

    private static final int PIECE = 1024;
    private static final ThreadLocal<MemorySegment> SCRATCH = ThreadLocal.withInitial(() -> MemorySegment.NULL);

    private final LaneCompiler.Form form;
    private final List<Stage> stages = new ArrayList<>();
    private final int temporaries;

    /** A loop and its blocks: places among the whole loop's inputs, then temporaries, then outputs. */
    private record Stage(Loop loop, int[] blocks) {}

    private Stages(LaneCompiler.Form form, Function<LaneCompiler.Form, Loop> emitter) {
        this.form = form;
        List<Step> steps = form.program().steps();
        int[] last = lastUses(form.program());
        Map<Integer, Integer> kept = new HashMap<>();       // step to temporary
        int to;
        for (int from = 0; from < steps.size(); from = to) {
            to = end(from, last);
            Cut cut = new Cut(kept);
            for (int i = from; i < to; i++) {
                if (!steps.get(i).leaf()) {
                    cut.place(i);
                }
            }
            List<Integer> roots = new ArrayList<>();
            List<DType> types = new ArrayList<>();
            List<Integer> blocks = new ArrayList<>();
            if (to == steps.size()) {
                for (int k = 0; k < form.out().size(); k++) {
                    roots.add(cut.place(form.program().roots().get(k)));
                    types.add(form.out().get(k));
                    blocks.add(-1 - k);
                }
            } else {
                for (int i = from; i < to; i++) {
                    if (!steps.get(i).leaf() && last[i] >= to) {
                        roots.add(cut.number(i));
                        types.add(form.lanes());
                        blocks.add(form.in().size() + kept.size());
                        kept.put(i, kept.size());
                    }
                }
            }
            Program program = new Program(List.copyOf(cut.steps), List.copyOf(roots));
            Loop loop = emitter.apply(new LaneCompiler.Form(form.lanes(), cut.in, types, program, cut.access));
            cut.blocks.addAll(blocks);
            stages.add(new Stage(loop, cut.blocks.stream().mapToInt(b -> b).toArray()));
        }
        temporaries = kept.size();
        int outputs = form.in().size() + temporaries;
        stages.replaceAll(s -> new Stage(
                s.loop, Arrays.stream(s.blocks).map(b -> b < 0 ? outputs - 1 - b : b).toArray()));
    }

    /** Where the stage that starts at a step ends: where least is handed on. */
    private static int end(int from, int[] last) {
        if (last.length - from <= MOST_STEPS) {
            return last.length;
        }
        int best = 0;
        int fewest = Integer.MAX_VALUE;
        for (int to = from + MOST_STEPS / 2; to <= from + MOST_STEPS; to++) {
            int live = 0;
            for (int i = 0; i < to; i++) {
                live += last[i] >= to ? 1 : 0;
            }
            if (live <= fewest) {
                best = to;
                fewest = live;
            }
        }
        return best;
    }

    static Loop of(LaneCompiler.Form form, Function<LaneCompiler.Form, Loop> emitter) {
        return form.program().steps().size() <= MOST_STEPS ? emitter.apply(form) : new Stages(form, emitter);
    }

    /** One stage's steps as they are put together. */
    private final class Cut {
        final List<Step> steps = new ArrayList<>();
        final List<DType> in = new ArrayList<>();
        final List<Access> access = new ArrayList<>();
        final List<Integer> blocks = new ArrayList<>();
        private final Map<Integer, Integer> places = new HashMap<>();
        private final Map<Integer, Integer> kept;

        /** Knows the steps of earlier stages by their temporaries. */
        Cut(Map<Integer, Integer> kept) {
            this.kept = Map.copyOf(kept);
        }

        /** The place here of a step of the whole program. */
        int place(int step) {
            Integer place = places.get(step);
            if (place == null) {
                places.put(step, place = make(step));
            }
            return place;
        }

        private int make(int step) {
            Step s = form.program().steps().get(step);
            if (s.op() == Op.INPUT) {
                return input(form.in().get(s.a()), form.access().get(s.a()), s.a());
            } else if (s.leaf()) {
                return add(s);
            } else if (kept.containsKey(step)) {
                int value = input(form.lanes(), Access.DENSE, form.in().size() + kept.get(step));
                return isMask(s) ? add(new Step(Op.NE, value, constant(0), 0, 0)) : value;
            }
            int[] at = new int[3];
            for (int k = 0; k < s.op().arity; k++) {
                at[k] = place(s.operand(k));
            }
            return add(new Step(s.op(), at[0], at[1], at[2], 0));
        }

        /** The place of a step as a number, to be kept. */
        int number(int step) {
            int place = place(step);
            return isMask(form.program().steps().get(step))
                    ? add(new Step(Op.SELECT, place, constant(1), constant(0), 0))
                    : place;
        }

        private boolean isMask(Step s) {
            return Program.masks(s, form.masks());
        }

        private int constant(double value) {
            return add(new Step(Op.CONSTANT, 0, 0, 0, value));
        }

        private int input(DType type, Access how, int block) {
            in.add(type);
            access.add(how);
            blocks.add(block);
            return add(new Step(Op.INPUT, in.size() - 1, 0, 0, 0));
        }

        private int add(Step step) {
            steps.add(step);
            return steps.size() - 1;
        }
    }

    private static int[] lastUses(Program program) {
        int[] last = new int[program.steps().size()];
        for (int i = 0; i < last.length; i++) {
            Step s = program.steps().get(i);
            for (int k = 0; k < s.op().arity; k++) {
                last[s.operand(k)] = i;
            }
        }
        program.roots().forEach(root -> last[root] = Integer.MAX_VALUE);
        return last;
    }

    @Override
    public void run(
            MemorySegment[] blocks, long[] byteOffsets, long[] rowBytes, long[] strides, double[] parameters,
            int rows, int n) {
        int inputs = form.in().size();
        int outputs = form.out().size();
        MemorySegment[] all = new MemorySegment[inputs + temporaries + outputs];
        System.arraycopy(blocks, 0, all, 0, inputs);
        Arrays.fill(all, inputs, inputs + temporaries, scratch((long) temporaries * PIECE * form.lanes().bytes()));
        System.arraycopy(blocks, inputs, all, inputs + temporaries, outputs);
        long[] at = new long[all.length];
        for (int t = 0; t < temporaries; t++) {
            at[inputs + t] = (long) t * PIECE * form.lanes().bytes();
        }
        for (int row = 0; row < rows; row++) {
            for (int done = 0; done < n; done += PIECE) {
                for (int k = 0; k < inputs; k++) {
                    long step = switch (form.access().get(k)) {
                        case REPEATED -> 0;
                        case DENSE -> 1;
                        case STRIDED -> strides[k];
                    };
                    at[k] = byteOffsets[k] + row * rowBytes[k] + done * step * form.in().get(k).bytes();
                }
                for (int k = 0; k < outputs; k++) {
                    at[inputs + temporaries + k] = byteOffsets[inputs + k] + row * rowBytes[inputs + k]
                            + (long) done * form.out().get(k).bytes();
                }
                for (Stage stage : stages) {
                    run(stage, all, at, strides, parameters, Math.min(PIECE, n - done));
                }
            }
        }
    }

    private void run(Stage stage, MemorySegment[] all, long[] at, long[] strides, double[] parameters, int n) {
        int[] of = stage.blocks;
        MemorySegment[] blocks = new MemorySegment[of.length];
        long[] offsets = new long[of.length];
        long[] steps = new long[of.length];
        for (int k = 0; k < of.length; k++) {
            blocks[k] = all[of[k]];
            offsets[k] = at[of[k]];
            steps[k] = of[k] < form.in().size() ? strides[of[k]] : 1;
        }
        stage.loop.run(blocks, offsets, steps, parameters, n);
    }

    /** Memory of the calling thread, kept for the next time. */
    private static MemorySegment scratch(long bytes) {
        MemorySegment scratch = SCRATCH.get();
        if (scratch.byteSize() < bytes) {
            scratch = Arena.ofAuto().allocate(bytes, 64);
            SCRATCH.set(scratch);
        }
        return scratch;
    }
}
