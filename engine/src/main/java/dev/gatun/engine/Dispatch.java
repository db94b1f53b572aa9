package dev.gatun.engine;

import dev.gatun.engine.algebra.Functions;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.memory.Block;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.engine.memory.Pool;
import java.util.List;

/**
 * The only door from an op to its kernel: shapes and dtypes are refused here or not at all, the
 * first kernel that fits runs on memory from the current scope, and a node is left when an input
 * is tracked.
 */
public final class Dispatch {

    private static final Op COPY = new Functions.Copy();

    private Dispatch() {}

    /** Applies an op. */
    static Tensor[] run(Op op, Tensor... in) {
        Tensor[] inputs = in;
        Device device = device(op, in);
        if (!op.takesStorageTypes()) {
            inputs = widened(in);
        }
        List<Spec> specs = infer(op, inputs);
        Tensor[] outputs;
        if (device.kind() == Device.Kind.NONE) {
            outputs = new Tensor[specs.size()];
            for (int i = 0; i < outputs.length; i++) {
                outputs[i] = Tensor.of(specs.get(i));
            }
        } else {
            for (int i = 0; i < inputs.length; i++) {
                checkOpen(op, i, inputs);
            }
            outputs = op instanceof ViewOp view ? view(view, specs.getFirst(), inputs[0]) : compute(op, specs, inputs, device);
        }
        if (anyTracked(inputs)) {
            Node node = new Node(op, inputs, outputs);
            for (Tensor output : outputs) {
                if (output.dtype().isFloat()) {
                    output.madeBy(node);
                }
            }
        }
        Watcher watcher = Scope.watcher();
        if (watcher != null) {
            watcher.ran(op, List.of(inputs), List.of(outputs));
        }
        return outputs;
    }

    /**
     * Applies an op and writes its outputs over the numbers of these tensors, which are plain data or
     * leaves and lie without gaps. Only optimisers and states do this, between steps: a graph that
     * still holds a target would differentiate at numbers it never saw. An elementwise op may have
     * its own inputs as targets.
     */
    public static void overwrite(Op op, List<Tensor> inputs, List<Tensor> targets) {
        Tensor[] in = inputs.toArray(Tensor[]::new);
        Device device = in.length == 0 ? targets.getFirst().device() : device(op, in);
        List<Spec> specs = infer(op, in);
        for (int i = 0; i < in.length; i++) {
            checkOpen(op, i, in);
        }
        for (int i = 0; i < specs.size(); i++) {
            Tensor target = targets.get(i);
            checkReadable(op.name(), target);
            if (!target.device().equals(device)) {
                throw new DeviceException(op.name() + ": output " + i + " is computed on " + device + " and cannot be written over\n  target: "
                        + target.describe() + lines(op, in));
            }
            if (!target.spec().equals(specs.get(i)) || !target.isContiguous() || target.node() != null) {
                throw new ShapeException(op.name() + ": output " + i + " is " + specs.get(i)
                        + " and cannot be written over\n  target: " + target.describe()
                        + (target.isContiguous() ? "" : ", strided") + (target.node() == null ? "" : ", made by " + target.node().op()));
            }
        }
        if (!run(op, in, targets.toArray(Tensor[]::new), device)) {
            Tensor[] outputs = composition(op, in, device);
            for (int i = 0; i < outputs.length; i++) {
                overwrite(outputs[i], targets.get(i));
            }
        }
    }

    /** Writes the numbers of one tensor over those of another, as {@link #overwrite(Op, List, List)} does. */
    public static void overwrite(Tensor x, Tensor target) {
        overwrite(COPY, List.of(x), List.of(target));
    }

    private static Tensor[] compute(Op op, List<Spec> specs, Tensor[] inputs, Device device) {
        Tensor[] outputs = new Tensor[specs.size()];
        for (int i = 0; i < outputs.length; i++) {
            outputs[i] = Tensor.fresh(specs.get(i), device);
        }
        if (run(op, inputs, outputs, device)) {
            return outputs;
        }
        return composition(op, inputs, device);
    }

    /** Where a device's memory comes from. */
    static Pool pool(Device device) {
        return switch (device.kind()) {
            case CPU -> HostPool.shared();
            case CUDA -> Gpu.of(device).pool();
            case NONE -> throw new DeviceException("there is no memory on " + device);
        };
    }

    /** A copy of dense numbers on another device, in memory of the current scope. */
    static Tensor transfer(Tensor x, Device target) {
        checkReadable("to", x);
        Tensor copy = Tensor.fresh(x.spec(), target);
        long bytes = x.spec().bytes();
        if (bytes == 0) {
            return copy;
        }
        if (x.device().kind() == Device.Kind.CPU) {
            Gpu.of(target).copyIn(copy.first().address(), x.first(), bytes);
        } else if (target.kind() == Device.Kind.CPU) {
            Gpu.of(x.device()).copyOut(copy.first(), x.first().address(), bytes);
        } else {
            return transfer(transfer(x, Device.cpu()), target);
        }
        return copy;
    }

    /** Runs the first kernel that fits, or says that there is none. */
    private static boolean run(Op op, Tensor[] inputs, Tensor[] outputs, Device device) {
        Args args = new Args(op, inputs, outputs);
        boolean onGpu = device.kind() == Device.Kind.CUDA;
        Kernel kernel = kernel(op, args, onGpu);
        if (kernel == null) {
            return false;
        }
        if (!kernel.takesStrides()) {
            Tensor[] dense = dense(inputs);
            if (dense != inputs) {
                args = new Args(op, dense, outputs);
            }
        }
        long workspaceBytes = kernel.workspace(args);
        if (workspaceBytes == 0) {
            run(kernel, args, device);
        } else {
            Pool pool = pool(device);
            Block workspace = pool.take(workspaceBytes, op.name() + "'s workspace");
            try {
                args.workspace(workspace.segment());
                run(kernel, args, device);
            } finally {
                pool.give(workspace);
            }
        }
        return true;
    }

    private static void run(Kernel kernel, Args args, Device device) {
        if (kernel.backend() == Backend.CUDA) {
            kernel.queue(args, Gpu.of(device));
        } else {
            kernel.run(args);
        }
    }

    /** The first kernel that takes the arguments and is on; a cold vector kernel yields to a scalar one behind it. */
    private static Kernel kernel(Op op, Args args, boolean onGpu) {
        Kernel cold = null;
        for (Kernel kernel : op.kernels()) {
            if (!kernel.backend().on() || onGpu != (kernel.backend() == Backend.CUDA) || !kernel.accepts(args)) {
                continue;
            }
            if (cold != null) {
                return kernel.backend() == Backend.SCALAR ? kernel : cold;
            }
            if (kernel.ready(args)) {
                return kernel;
            }
            cold = kernel;
        }
        return cold;
    }

    private static Tensor[] composition(Op op, Tensor[] inputs, Device device) {
        if (!(op instanceof Composed composed)) {
            throw new DeviceException(op.name() + ": no kernel for these inputs on "
                    + (device.kind() == Device.Kind.CPU ? "the backends that are on" : device) + lines(op, inputs));
        }
        Tensor[] plain = new Tensor[inputs.length];
        for (int i = 0; i < plain.length; i++) {
            plain[i] = inputs[i].detach();
        }
        Tensor[] outputs;
        try (Scope.Stay _ = Scope.at(device)) {
            outputs = composed.compose(plain).toArray(Tensor[]::new);
        }
        for (int i = 0; i < outputs.length; i++) {
            // An input handed through must not become the output itself: nodes are per output.
            outputs[i] = outputs[i].copyOfHandle();
        }
        return outputs;
    }

    private static Tensor[] view(ViewOp op, Spec spec, Tensor x) {
        ViewOp.Layout layout = op.view(x.shape(), new ViewOp.Layout(x.strides(), x.offset()));
        return new Tensor[] {new Tensor(spec, layout.strides(), layout.offset(), x.storage(), x.device())};
    }

    private static Device device(Op op, Tensor[] in) {
        if (in.length == 0) {
            return Scope.place();
        }
        Device device = in[0].device();
        for (int i = 1; i < in.length; i++) {
            if (in[i].device() != device && !in[i].device().equals(device)) {
                throw new DeviceException(op.name() + ": inputs on different devices: "
                        + op.argument(0, in.length) + " on " + device + ", "
                        + op.argument(i, in.length) + " on " + in[i].device() + lines(op, in));
            }
        }
        return device;
    }

    private static Tensor[] widened(Tensor[] in) {
        Tensor[] wide = in;
        for (int i = 0; i < in.length; i++) {
            if (in[i].dtype().isStorage()) {
                wide = wide == in ? in.clone() : wide;
                wide[i] = in[i].to(DType.F32);
            }
        }
        return wide;
    }

    private static Tensor[] dense(Tensor[] in) {
        Tensor[] dense = in;
        for (int i = 0; i < in.length; i++) {
            if (!in[i].isContiguous()) {
                dense = dense == in ? in.clone() : dense;
                dense[i] = in[i].detach().contiguous();
            }
        }
        return dense;
    }

    private static List<Spec> infer(Op op, Tensor[] in) {
        Spec[] specs = new Spec[in.length];
        for (int i = 0; i < in.length; i++) {
            specs[i] = in[i].spec();
        }
        try {
            return op.infer(specs);
        } catch (ArgumentException e) {
            throw e.named(op.name() + ": " + e.getMessage() + lines(op, in));
        }
    }

    private static boolean anyTracked(Tensor[] in) {
        for (Tensor t : in) {
            if (t.tracked()) {
                return true;
            }
        }
        return false;
    }

    private static void checkOpen(Op op, int i, Tensor[] in) {
        String closed = in[i].storage().closedScope();
        if (closed != null) {
            throw new ScopeException(op.name() + ": " + op.argument(i, in.length) + " belongs to scope \"" + closed
                    + "\", which is closed" + lines(op, in));
        }
    }

    /** Refuses a tensor whose numbers are gone, or that never had any. */
    static void checkReadable(String what, Tensor x) {
        if (x.storage() == null) {
            throw new DeviceException(what + ": x has a spec only and no numbers\n  x: " + x.describe());
        }
        String closed = x.storage().closedScope();
        if (closed != null) {
            throw new ScopeException(what + ": x belongs to scope \"" + closed + "\", which is closed\n  x: " + x.describe());
        }
    }

    private static String lines(Op op, Tensor[] in) {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < in.length; i++) {
            lines.append("\n  ").append(op.argument(i, in.length)).append(": ").append(in[i].describe());
        }
        return lines.toString();
    }
}
