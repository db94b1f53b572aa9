package dev.gatun.bench.suite;

import static dev.gatun.ops.Activations.gelu;
import static dev.gatun.ops.Activations.silu;
import static dev.gatun.ops.Activations.swiglu;
import static dev.gatun.ops.CrossEntropy.crossEntropy;
import static dev.gatun.ops.Embedding.embedding;
import static dev.gatun.ops.LayerNorm.layerNorm;
import static dev.gatun.ops.LogSoftmax.logSoftmax;
import static dev.gatun.ops.LogSumExp.logSumExp;
import static dev.gatun.ops.Norms.l2Norm;
import static dev.gatun.ops.RmsNorm.rmsNorm;
import static dev.gatun.ops.Softmax.softmax;
import static dev.gatun.ops.sequence.Attention.attention;
import static dev.gatun.ops.sequence.CausalConv.causalConv;
import static dev.gatun.ops.sequence.Rope.rope;

import dev.gatun.bench.layers.Core;
import dev.gatun.bench.layers.TorchScript;
import dev.gatun.engine.DType;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.GradientClip;
import dev.gatun.ops.Random;
import dev.gatun.ops.sequence.Attention;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * What is timed: ops and layers at sizes of training and of writing, each with libtorch's own form. Sizes are chosen for what
 * limits them: numbers that stay in the cache, numbers that come from memory, products large and skinny.
 */
public final class Cases {

    /** Numbers that stay in the cache, and numbers that do not. */
    private static final long NEAR = 1 << 16;
    private static final long FAR = 1 << 22;
    private static final long HEADS = 8;
    private static final long SIZE = 64;

    /** Halves of 32 features turned against each other. */
    private static final String ROTARY = """
            turns = torch.pow(10000., torch.arange(32, dtype=6) * (-0.03125))
            angles = torch.unsqueeze(torch.arange(x.size(2), dtype=6), 1) * turns
            c = torch.cos(angles)
            s = torch.sin(angles)
            a = x[:, :, :, :32]
            b = x[:, :, :, 32:]
            return torch.cat([a * c - b * s, b * c + a * s], -1)""";

    private final List<Case> all = new ArrayList<>();

    private Cases() {}

    /** All rows, in the order of the table. */
    public static List<Case> all() throws IOException {
        Cases cases = new Cases();
        cases.elementwise();
        cases.reductions();
        cases.rows();
        cases.losses();
        cases.products();
        cases.sequences();
        cases.cores();
        cases.all.add(new TrainStep());
        return List.copyOf(cases.all);
    }

    private void elementwise() {
        for (long n : new long[] {NEAR, FAR}) {
            elementwise("add", n, 1, in -> in.get(0).add(in.get(1)), "return x + y", normal("x", n), normal("y", n));
            elementwise("gelu", n, 5, in -> gelu(in.get(0)), "return torch.gelu(x)", normal("x", n));
        }
        elementwise("exp", FAR, 1, in -> in.get(0).exp(), "return torch.exp(x)", normal("x", FAR));
        elementwise("tanh", FAR, 1, in -> in.get(0).tanh(), "return torch.tanh(x)", normal("x", FAR));
        elementwise("sigmoid", FAR, 1, in -> in.get(0).sigmoid(), "return torch.sigmoid(x)", normal("x", FAR));
        elementwise("sqrt", FAR, 1, in -> in.get(0).sqrt(), "return torch.sqrt(x)", positive("x", FAR));
        elementwise("log", FAR, 1, in -> in.get(0).log(), "return torch.log(x)", positive("x", FAR));
        elementwise("silu", FAR, 2, in -> silu(in.get(0)), "return torch.silu(x)", normal("x", FAR));
        elementwise("div", FAR, 1, in -> in.get(0).div(in.get(1)), "return x / y", normal("x", FAR), positive("y", FAR));
        elementwise("swiglu", FAR / 2, 3, in -> swiglu(in.get(0), in.get(1)), "return torch.silu(x) * y", normal("x", FAR / 2), normal("y", FAR / 2));
        add(OpCase.of("elementwise", "multiply by a row 4096x1024", in -> in.get(0).mul(in.get(1)), "return x * y",
                normal("x", 4096, 1024), normal("y", 1024)).flops(FAR));
        add(OpCase.of("elementwise", "copy of a transposed 2048x2048", in -> in.get(0).transpose().contiguous(),
                "return torch.contiguous(torch.transpose(x, 0, 1))", normal("x", 2048, 2048)));
        add(OpCase.of("elementwise", "gelu " + FAR / 4, in -> gelu(in.get(0)), "return torch.gelu(x)", normal("x", FAR / 4))
                .flops(5.0 * FAR / 4).withGradients());
        add(OpCase.of("elementwise", "swiglu " + FAR / 4, in -> swiglu(in.get(0), in.get(1)), "return torch.silu(x) * y",
                normal("x", FAR / 4), normal("y", FAR / 4)).flops(3.0 * FAR / 4).withGradients());
    }

    private void elementwise(String name, long n, double each, Function<List<Tensor>, Tensor> gatun, String body, Core.Input... inputs) {
        add(OpCase.of("elementwise", name + " " + n, gatun, body, inputs).flops(each * n));
    }

    private void reductions() {
        Core.Input x = normal("x", 4096, 1024);
        reduction("sum of all", x, in -> in.get(0).sum(), "return torch.sum(x)");
        reduction("sum of rows", x, in -> in.get(0).sum(-1), "return torch.sum(x, [1])");
        reduction("sum of columns", x, in -> in.get(0).sum(0), "return torch.sum(x, [0])");
        reduction("largest of rows", x, in -> in.get(0).max(-1), "return torch.amax(x, [1])");
        reduction("running sum of rows", x, in -> in.get(0).cumsum(-1), "return torch.cumsum(x, 1)");
        reduction("log-sum-exp of rows", x, in -> logSumExp(in.get(0), -1), "return torch.logsumexp(x, [1])");
        reduction("norm of all", x, in -> Tensor.of(DType.F32, GradientClip.norm(in)), "return torch.norm(x)");
    }

    private void reduction(String name, Core.Input x, Function<List<Tensor>, Tensor> gatun, String body) {
        // Sums of millions in other orders; cancellation leaves little of a sum of all.
        add(OpCase.of("reductions", name + " 4096x1024", gatun, body, x).flops(x.shape().elements()).tolerance(1e-3));
    }

    private void rows() {
        for (long[] s : new long[][] {{4096, 1024}, {65_536, 64}}) {
            String size = " " + s[0] + "x" + s[1];
            String over = "[" + s[1] + "]";
            double n = (double) s[0] * s[1];
            Core.Input x = normal("x", s);
            both(OpCase.of("rows", "softmax" + size, in -> softmax(in.get(0), -1), "return torch.softmax(x, -1)", x).flops(5 * n).oneDnn());
            both(OpCase.of("rows", "layer norm" + size, in -> layerNorm(in.get(0), in.get(1), in.get(2), 1e-5),
                    "return torch.layer_norm(x, " + over + ", w, b, 1e-05)", x, normal("w", s[1]), normal("b", s[1])).flops(8 * n)
                    .oneDnn().tolerance(1e-3));
            both(OpCase.of("rows", "rms norm" + size, in -> rmsNorm(in.get(0), in.get(1), 1e-6),
                    "return torch.rms_norm(x, " + over + ", w, 1e-06)", x, normal("w", s[1])).flops(4 * n).tolerance(1e-3));
        }
        Core.Input x = normal("x", 4096, 1024);
        add(OpCase.of("rows", "log-softmax 4096x1024", in -> logSoftmax(in.get(0), -1), "return torch.log_softmax(x, -1)", x).flops(5.0 * FAR));
        add(OpCase.of("rows", "unit length 65536x64", in -> l2Norm(in.get(0)),
                "return x * torch.rsqrt(torch.sum(x * x, [-1], True) + 1e-06)", normal("x", 65_536, 64)).flops(4.0 * FAR));
    }

    private void losses() {
        for (long[] s : new long[][] {{2048, 256}, {512, 32_000}}) {
            both(OpCase.of("losses", "cross-entropy " + s[0] + "x" + s[1], in -> crossEntropy(in.get(0), in.get(1)),
                    "return torch.cross_entropy_loss(x, ids)", normal("x", s), integers("ids", s[1], s[0])).flops(5.0 * s[0] * s[1]));
        }
        long read = 4L * 2048 * 512;
        OpCase look = OpCase.of("losses", "embedding 2048 of 32000x512", in -> embedding(in.get(0), in.get(1)),
                "return torch.embedding(w, ids)", normal("w", 32_000, 512), integers("ids", 32_000, 2048));
        add(look.traffic(2.0 * read));
        add(look.traffic(4.0 * read + 4.0 * 32_000 * 512).withGradients());
        AdamW.Update update = new AdamW.Update(0.9, 0.95, 1 - 1e-3 * 0.1, 1e-3 / (1 - 0.9), 1 / Math.sqrt(1 - 0.95), 1e-8);
        add(OpCase.of("losses", "AdamW step " + FAR, in -> {
            Dispatch.overwrite(update, in.subList(0, 4), List.of(in.get(0), in.get(2), in.get(3)));
            return in.get(0);
        }, """
                ps = [p]
                torch._fused_adamw_(ps, [g], [m], [v], annotate(List[Tensor], []), [step], lr=0.001, beta1=0.9, beta2=0.95, \
                weight_decay=0.1, eps=1e-08, amsgrad=False, maximize=False)
                return ps[0]""", normal("p", FAR), normal("g", FAR), normal("m", FAR), positive("v", FAR),
                new Core.Input("step", Shape.of(1), x -> Tensor.ones(DType.F32, x.shape()), false))
                .overwriting().flops(14.0 * FAR).traffic(7 * 4.0 * FAR));
    }

    private void products() {
        for (long n : new long[] {256, 512, 1024, 2048}) {
            product(1, n, n, n, false);
        }
        product(1, 1024, 1024, 1024, true);
        product(1, 2048, 256, 1024, true);
        product(1, 1, 4096, 4096, false);
        product(1, 1, 4096, 4096, true);
        product(1, 8, 4096, 4096, false);
        product(1, 8, 4096, 4096, true);
        product(8, 1024, 64, 1024, true);
        product(8, 1024, 1024, 64, false);
        product(32, 128, 64, 128, true);
        add(product("1024x1024x1024", normal("x", 1024, 1024), normal("y", 1024, 1024), false, 2.0 * (1L << 30)).withGradients());
    }

    private void product(long batch, long rows, long inner, long columns, boolean transposed) {
        String size = (batch == 1 ? "" : batch + " of ") + rows + "x" + inner + "x" + columns + (transposed ? ", transposed" : "");
        Core.Input x = batch == 1 ? normal("x", rows, inner) : normal("x", batch, rows, inner);
        long[] last = transposed ? new long[] {columns, inner} : new long[] {inner, columns};
        Core.Input y = batch == 1 ? normal("y", last) : normal("y", batch, last[0], last[1]);
        add(product(size, x, y, transposed, 2.0 * batch * rows * inner * columns));
    }

    private static OpCase product(String size, Core.Input x, Core.Input y, boolean transposed, double flops) {
        return OpCase.of("products", size,
                transposed ? in -> in.get(0).matmul(in.get(1).transpose()) : in -> in.get(0).matmul(in.get(1)),
                "return torch.matmul(x, " + (transposed ? "torch.transpose(y, -2, -1)" : "y") + ")", x, y).flops(flops).oneDnn();
    }

    private void sequences() {
        Shape rows = Shape.of(1, HEADS, 1024, SIZE);
        double full = 4.0 * HEADS * 1024 * 1024 * SIZE;
        both(OpCase.of("sequences", "attention, 1024 tokens seeing all", in -> attention(in.get(0), in.get(1), in.get(2), Attention.FULL).o(),
                "return torch.scaled_dot_product_attention(q, k, v)", normal("q", rows), normal("k", rows), normal("v", rows)).flops(full).tolerance(1e-3));
        add(OpCase.of("sequences", "attention, 1 token seeing 4096", in -> attention(in.get(0), in.get(1), in.get(2), Attention.FULL).o(),
                "return torch.scaled_dot_product_attention(q, k, v)", normal("q", 1, HEADS, 1, SIZE), normal("k", 1, HEADS, 4096, SIZE),
                normal("v", 1, HEADS, 4096, SIZE)).flops(4.0 * HEADS * 4096 * SIZE).tolerance(1e-3));
        both(OpCase.of("sequences", "rotary positions 8x4x256x64", in -> rope(in.get(0), 0, 10_000), ROTARY, normal("x", 8, 4, 256, 64))
                .flops(3.0 * 8 * 4 * 256 * 64).tolerance(1e-3));
        both(OpCase.of("sequences", "causal convolution of 4, 1024x1024", in -> causalConv(in.get(0), in.get(1), in.get(2), true).y(), """
                c = torch.conv1d(torch.transpose(x, 1, 2), torch.unsqueeze(w, 1), b, [1], [3], [1], 1024)
                return torch.silu(torch.transpose(torch.slice(c, 2, 0, 1024), 1, 2))""",
                normal("x", 1, 1024, 1024), normal("w", 1024, 4), normal("b", 1024)).flops(10.0 * 1024 * 1024).tolerance(1e-3));
    }

    /** What layers compute between their projections, at width 512; both their sums are long, so that more is left to rounding. */
    private void cores() throws IOException {
        for (String name : Core.names()) {
            long tokens = name.equals("atlas") ? 256 : 1024;
            Core core = Core.of(name, tokens);
            OpCase forward = new OpCase("layers", name + ", " + tokens + " tokens", core.inputs(), core.gatun(),
                    TorchScript.source(name, "CHUNK", Long.toString(Core.CHUNK)), false, false, false,
                    tokens * HEADS * flopsOfToken(name, tokens), Double.NaN, 2e-3);
            both(forward);
        }
    }

    /** Arithmetic of one token in one head, of the recurrence as it is written down; chunks do more of it to be faster. */
    private static double flopsOfToken(String name, long tokens) {
        double matrix = SIZE * SIZE;
        // A memory of two layers, 4 times as wide inside: what is said per number of its weights.
        double weights = 8 * matrix;
        return switch (name) {
            case "attention" -> 2.0 * tokens * SIZE;
            case "linear-attention", "retention", "mlstm" -> 5 * matrix;
            case "gla", "mamba2" -> 5 * matrix;
            case "deltanet" -> 7 * matrix;
            case "mamba" -> 7.0 * 2 * SIZE * 16;
            case "slstm" -> 8 * matrix;
            // once forward and twice backward at the key, two decays and two sums, once forward at the query
            case "titans" -> 12 * weights;
            // the same with a window of 8 losses and a step of Newton and Schulz, five times three products of the narrow side
            case "atlas" -> 12 * weights + 5 * 2 * 18.0 * SIZE * SIZE * SIZE;
            default -> throw new IllegalArgumentException("bench: there is no core \"" + name + "\"");
        };
    }

    private void both(OpCase one) {
        add(one);
        add(one.withGradients());
    }

    private void add(Case one) {
        all.add(one);
    }

    private static Core.Input normal(String name, long... dims) {
        return normal(name, Shape.of(dims));
    }

    private static Core.Input normal(String name, Shape shape) {
        return new Core.Input(name, shape, x -> x, true);
    }

    private static Core.Input positive(String name, long n) {
        return new Core.Input(name, Shape.of(n), x -> x.abs().add(0.1), true);
    }

    private static Core.Input integers(String name, long below, long n) {
        return new Core.Input(name, Shape.of(n), x -> Random.integers(Key.of(13), x.shape(), 0, below), false);
    }
}
