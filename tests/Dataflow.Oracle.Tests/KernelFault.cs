using System.Reflection;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Oracle.Tests;

/// <summary>
/// The kernels of a CPU device with a fault in one of them: its arguments are changed before it runs, or its results after.
/// </summary>
public class KernelFault : DispatchProxy
{
    private const float Enlarged = 1.001f;

    private IKernels inner = null!;
    private string kernel = "";
    private Func<Call, bool> before = _ => false;
    private Func<Call, bool> after = _ => false;

    /// <summary>How often it did harm.</summary>
    public int Planted { get; private set; }

    /// <summary>Every second row of an output is a thousandth too large.</summary>
    public static Func<IKernels, KernelFault> InResult(string kernel, string output) =>
        inner => Make(inner, kernel, _ => false, call => call[output] is Tensor tensor && Enlarge(tensor));

    /// <summary>Arguments are not those that were passed; false: it found nothing to change.</summary>
    public static Func<IKernels, KernelFault> InArguments(string kernel, Func<Call, bool> change) =>
        inner => Make(inner, kernel, change, _ => false);

    /// <summary>What is called through it.</summary>
    public IKernels Kernels => (IKernels)(object)this;

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var call = new Call(args!);
        bool mine = targetMethod!.Name == kernel;
        Planted += mine && before(call) ? 1 : 0;
        _ = targetMethod.Invoke(inner, BindingFlags.DoNotWrapExceptions, null, args, null);
        Planted += mine && after(call) ? 1 : 0;
        return null;
    }

    private static KernelFault Make(IKernels inner, string kernel, Func<Call, bool> before, Func<Call, bool> after)
    {
        var fault = (KernelFault)(object)Create<IKernels, KernelFault>();
        (fault.inner, fault.kernel, fault.before, fault.after) = (inner, kernel, before, after);
        return fault;
    }

    private static unsafe bool Enlarge(Tensor tensor)
    {
        Assert.Equal(DType.Float32, tensor.Type);
        for (int row = 1; row < tensor.Rows; row += 2)
        {
            foreach (ref float value in new Span<float>((float*)tensor.RowRange(row, 1).Address, tensor.Columns))
            {
                value *= Enlarged;
            }
        }

        return tensor.Rows > 1;
    }

    /// <summary>A call's arguments by their names: properties of the record that it gets.</summary>
    public readonly struct Call(object?[] arguments)
    {
        public object? this[string name]
        {
            get => Property(name).GetValue(arguments[0]);
            set => Property(name).SetValue(arguments[0], value); // the record is boxed: this is the one that is passed on
        }

        private PropertyInfo Property(string name) =>
            Assert.Single(arguments) is { } record && record.GetType().GetProperty(name) is { } property
                ? property
                : throw new InvalidOperationException($"{arguments[0]} has no {name}");
    }
}
