package dev.gatun.cli;

import dev.gatun.autograd.Autograd;
import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.Key;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Params;
import dev.gatun.ops.Softmax;
import dev.gatun.verify.Catalogue;
import dev.gatun.verify.GradientCheck;
import dev.gatun.verify.Samples;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Compares the gradients of ops with differences, at the ops' own samples. */
@Command(
        name = "gradcheck",
        mixinStandardHelpOptions = true,
        description = "Compares first and second gradients of every op with differences; the exit code is 1 when one is wrong.")
final class GradcheckCommand implements Callable<Integer> {

    /** Larger samples are about the seams of kernels and only take time here. */
    private static final long SMALL = 2000;

    @Parameters(arity = "0..1", paramLabel = "OP", defaultValue = "", description = "Only ops with this in their names.")
    private String name;

    @Option(names = "--order", paramLabel = "N", defaultValue = "2", description = "The highest order of gradients (default: 2).")
    private int order;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "42", description = "Of the numbers to check at (default: 42).")
    private long seed;

    @Override
    public Integer call() {
        if (order < 1 || order > 4) {
            throw new UserError("--order: must be from 1 to 4, is " + order);
        }
        Catalogue catalogue = Catalogue.of(Op.class, Autograd.class, Softmax.class, Params.class);
        long passed = 0;
        long failed = catalogue.problems().size();
        catalogue.problems().forEach(System.out::println);
        for (Catalogue.Entry entry : catalogue.entries()) {
            if (entry.type().getSimpleName().toLowerCase(Locale.ROOT).contains(name.toLowerCase(Locale.ROOT))) {
                for (Sample sample : entry.samples()) {
                    Boolean right = size(sample) <= SMALL ? check(sample) : null;
                    passed += right == Boolean.TRUE ? 1 : 0;
                    failed += right == Boolean.FALSE ? 1 : 0;
                }
            }
        }
        if (passed + failed == 0) {
            throw new UserError("no op with a gradient has \"" + name + "\" in its name");
        }
        System.out.println(passed + " passed, " + failed + " failed");
        return failed == 0 ? 0 : 1;
    }

    /** Whether the gradients are right, or null where there is nothing to differentiate. */
    private Boolean check(Sample sample) {
        try (Scope scope = Scope.open("gradcheck")) {
            Tensor[] inputs = Samples.tensors(sample, DType.F64, Key.of(seed)).toArray(Tensor[]::new);
            if (!differentiable(sample, inputs)) {
                return null;
            }
            GradientCheck.Report report =
                    GradientCheck.of(sample.op()).at(inputs).seed(seed).order(order).report();
            System.out.printf(
                    Locale.ROOT, "%-60s %.1e  %s%n", sample, report.worst(), report.ok() ? "passed" : "FAILED\n" + report);
            return report.ok();
        }
    }

    /** Real numbers go in and come out, so that there is a slope to know, be it zero. */
    private static boolean differentiable(Sample sample, Tensor[] inputs) {
        if (sample.inputs().stream().noneMatch(input -> input.kind() == Sample.Kind.REAL)) {
            return false;
        }
        Tensor[] specs = List.of(inputs).stream().map(x -> x.to(Device.none())).toArray(Tensor[]::new);
        return sample.op().applyAll(specs).stream().anyMatch(y -> y.dtype().isFloat());
    }

    private static long size(Sample sample) {
        return sample.inputs().stream().mapToLong(input -> input.shape().elements()).sum();
    }
}
