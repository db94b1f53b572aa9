package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.LinearScan.reverseLinearScan;

import dev.gatun.engine.Composed;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.MemoryScan.Gates;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Gradients of all inputs of {@link MemoryScan} from q, k, v and gates, the weights before each chunk, the gradients of its outputs and
 * perhaps that of the weights before each chunk. From the last chunk to the first: {@link MemoryChunkGrad}, then through the rows of shares,
 * whose adjoints are scans from the last token to the first.
 */
public record MemoryScanGrad(MemoryScan of) implements Composed {

    private static final List<Kernel> KERNELS = MemoryScanTiles.backward();

    /** Where the weights before each chunk are among the inputs. */
    static final int BORDERS = MemoryScan.WEIGHTS;

    @Override
    public List<String> arguments() {
        List<String> forward = of.arguments();
        List<String> names = new ArrayList<>(forward.subList(0, BORDERS));
        names.addAll(List.of("borders", "g"));
        for (String name : forward.subList(BORDERS, forward.size())) {
            names.add("g" + name);
        }
        names.add("gborders");
        return names;
    }

    @Override
    public List<Spec> infer(Spec... in) {
        int most = BORDERS + 3 + 2 * of.layers();
        if (in.length != most && in.length != most - 1) {
            throw new ShapeException("a network of " + of.layers() + " layers needs " + (most - 1) + " or " + most + " inputs, there are " + in.length);
        }
        List<Spec> forward = new ArrayList<>(List.of(in).subList(0, BORDERS));
        forward.addAll(List.of(in).subList(BORDERS + 2, BORDERS + 2 + 2 * of.layers()));
        List<Spec> out = new MemoryScan(of.layers(), of.residual(), of.chunk(), true).infer(forward.toArray(Spec[]::new));
        out.getLast().require("borders", in[BORDERS]);
        out.getFirst().require("g", in[BORDERS + 1]);
        if (in.length == most) {
            out.getLast().require("gborders", in[most - 1]);
        }
        return forward;
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        int weights = 2 * of.layers();
        long chunk = of.chunk();
        Tensor borders = in[BORDERS];
        List<Tensor> adjoint = List.of(in).subList(BORDERS + 2, BORDERS + 2 + weights);
        Tensor more = in.length > BORDERS + 2 + weights ? in[BORDERS + 2 + weights] : null;
        List<List<Tensor>> parts = new ArrayList<>();
        for (long c = borders.dim(2) - 1; c >= 0; c--) {
            long t = c * chunk;
            Gates gates = Gates.of(t, t + chunk, in[3], in[4], in[5]);
            Tensor steps = gates.steps();
            Tensor shares = MemoryScan.carried(steps, gates.retain());
            List<Tensor> given = new ArrayList<>(Stream.of(in[0], in[1], in[2]).map(x -> x.slice(2, t, t + chunk)).toList());
            given.addAll(List.of(shares, MemoryScan.last(steps)));
            given.addAll(parts(borders, c, adjoint));
            given.add(in[BORDERS + 1].slice(2, t, t + chunk));
            given.addAll(adjoint);
            List<Tensor> slopes = new MemoryChunkGrad(of.each()).applyAll(given.toArray(Tensor[]::new));
            List<Tensor> part = new ArrayList<>(slopes.subList(0, 3));
            part.addAll(gates(gates, steps, shares, slopes.get(3), slopes.get(4)));
            parts.addFirst(part);
            adjoint = slopes.subList(MemoryChunk.WEIGHTS, MemoryChunk.WEIGHTS + weights);
            if (more != null) {
                List<Tensor> kept = adjoint;
                List<Tensor> added = parts(more, c, kept);
                adjoint = IntStream.range(0, weights).mapToObj(i -> kept.get(i).add(added.get(i))).toList();
            }
        }
        List<Tensor> out = new ArrayList<>();
        for (int i = 0; i < BORDERS; i++) {
            int input = i;
            out.add(parts.isEmpty() ? in[i] : Tensor.concat(2, parts.stream().map(part -> part.get(input)).toList()));
        }
        out.addAll(adjoint);
        return out;
    }

    /** One chunk's weights, which have these shapes. */
    private static List<Tensor> parts(Tensor borders, long chunk, List<Tensor> like) {
        Tensor row = borders.slice(2, chunk, chunk + 1);
        List<Tensor> parts = new ArrayList<>();
        long at = 0;
        for (Tensor w : like) {
            long size = w.dim(2) * w.dim(3);
            parts.add(row.slice(3, at, at + size).reshape(w.shape()));
            at += size;
        }
        return parts;
    }

    /** Gradients of retain, momentum and rate from those of the rows of W's shares and of the last row of S's. */
    private static List<Tensor> gates(Gates gates, Tensor steps, Tensor shares, Tensor dshares, Tensor dlast) {
        Tensor held = reversed(gates.retain(), dshares);
        Tensor dretain = held.mul(before(shares)).sum(-1).dropAxis(-1);
        long columns = dlast.dim(3);
        Tensor last = Tensor.concat(2, List.of(Tensor.zeros(dlast.dtype(), dlast.shape().with(2, steps.dim(2) - 1)), dlast));
        Tensor moved = reversed(gates.momentum(), held.slice(3, 0, columns).add(last));
        Tensor dmomentum = moved.mul(before(steps)).sum(-1).dropAxis(-1);
        Tensor drate = moved.slice(3, 0, columns - 1).mul(gates.diagonal()).sum(-1).dropAxis(-1);
        return List.of(dretain, dmomentum, drate);
    }

    /** The adjoint of rows that are carried on: {@code λ[t] = d[t] + gate[t+1] λ[t+1]}. */
    private static Tensor reversed(Tensor gate, Tensor d) {
        Tensor next = Tensor.concat(2, List.of(gate.slice(2, 1, gate.dim(2)), Tensor.zeros(gate.dtype(), gate.shape().with(2, 1))));
        return reverseLinearScan(next.insertAxis(-1).expand(d.shape()), d, Tensor.zeros(d.dtype(), d.shape().drop(2)));
    }

    /** Each row's predecessor. */
    private static Tensor before(Tensor rows) {
        Shape s = rows.shape();
        Tensor first = MemoryScan.first(rows.dtype(), s.drop(2).with(2, s.dim(3) - 1)).insertAxis(2);
        return Tensor.concat(2, List.of(first, rows.slice(2, 0, s.dim(2) - 1)));
    }

    public static List<Sample> samples() {
        List<Sample> samples = new ArrayList<>();
        for (Sample forward : MemoryScan.samples()) {
            MemoryScan op = (MemoryScan) forward.op();
            List<Shape> in = forward.inputs().stream().map(Sample.Input::shape).toList();
            List<Shape> shapes = new ArrayList<>(in.subList(0, BORDERS));
            Shape borders = in.getFirst().with(2, in.getFirst().dim(2) / op.chunk())
                    .with(3, in.subList(BORDERS, in.size()).stream().mapToLong(w -> w.dim(2) * w.dim(3)).sum());
            shapes.addAll(List.of(borders, in.get(2)));
            shapes.addAll(in.subList(BORDERS, in.size()));
            if (op.traced()) {
                shapes.add(borders);
            }
            Sample sample = Sample.of(new MemoryScanGrad(op), shapes.toArray(Shape[]::new));
            for (int i = 0; i < shapes.size(); i++) {
                sample = i < 3 || i >= BORDERS ? sample.range(i, -0.5, 0.5) : sample.range(i, 0, i == BORDERS - 1 ? 0.1 : 1);
            }
            samples.add(sample.slack(100));
        }
        return samples;
    }
}
