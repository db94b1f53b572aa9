package dev.gatun.bench.suite;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.gatun.bench.layers.TorchScript;
import dev.gatun.engine.DType;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Eager libtorch: one script for the function, and its own differentiation where gradients are asked for, in one call. */
final class TorchSide implements Side {

    private final NDManager manager;
    private final TorchScript script;
    private final NDList arguments = new NDList();

    private final boolean differentiable;

    private TorchSide(NDManager manager, TorchScript script, boolean differentiable) {
        this.manager = manager;
        this.script = script;
        this.differentiable = differentiable;
    }

    /** The script of a case, with the numbers that our side has. */
    static TorchSide of(OpCase of) throws IOException {
        NDManager manager = NDManager.newBaseManager("PyTorch");
        TorchScript script = new TorchScript(manager, of.name(), of.gradients() ? differentiated(of) : of.script());
        TorchSide side = new TorchSide(manager, script, of.gradients());
        try (Scope scope = Scope.open("arguments")) {
            List<Tensor> inputs = new ArrayList<>();
            for (var input : of.inputs()) {
                Tensor x = input.make();
                inputs.add(x);
                side.arguments.add(array(manager, x, of.gradients() && input.tracked()));
            }
            if (of.gradients()) {
                side.arguments.add(array(manager, of.cotangent(inputs), false));
            }
        }
        return side;
    }

    /** The same numbers for libtorch. */
    static NDArray array(NDManager manager, Tensor x, boolean tracked) {
        Shape shape = new Shape(x.shape().dims());
        NDArray array = x.dtype() == DType.I64 ? manager.create(x.toLongs(), shape) : manager.create(x.toFloats(), shape);
        array.setRequiresGradient(tracked);
        return array;
    }

    /** The function's value, then the gradients of all that are tracked; no name in it is an input's. */
    private static String differentiated(OpCase of) {
        List<String> names = of.inputs().stream().map(input -> input.name()).toList();
        List<String> tracked = of.inputs().stream().filter(input -> input.tracked()).map(input -> input.name()).toList();
        return of.script().replace("def forward(", "def value(") + """

                def forward(%s, cotangent: Tensor) -> List[Tensor]:
                  the_output = self.value(%s)
                  the_gradients = torch.grad([the_output], [%s], annotate(List[Optional[Tensor]], [cotangent]))
                  all_results = [the_output.detach()]
                  for which in range(len(the_gradients)):
                    all_results.append(ops.prim.unchecked_unwrap_optional(the_gradients[which]))
                  return all_results
                """.formatted(
                        String.join(", ", names.stream().map(name -> name + ": Tensor").toList()),
                        String.join(", ", names), String.join(", ", tracked));
    }

    @Override
    public Entered enter() {
        return differentiable ? recording() : () -> {};
    }

    /** The binding keeps libtorch from recording what gradients need, but for a collector's time. */
    static Entered recording() {
        GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector();
        return collector::close;
    }

    @Override
    public Object run() {
        try (NDList values = script.run(arguments)) {
            return values.size();
        }
    }

    @Override
    public List<float[]> values() {
        try (Entered ignored = enter(); NDList values = script.run(arguments)) {
            return values.stream().map(NDArray::toFloatArray).toList();
        }
    }

    @Override
    public void close() {
        script.close();
        manager.close();
    }
}
