namespace Dataflow.Runtime;

/// <summary>What a kernel is called with: its operands by name, and which of their bytes it touches.</summary>
public interface IKernelArguments
{
    /// <summary>Lists every byte that the kernel may touch, once.</summary>
    void Declare(KernelAccesses accesses);

    /// <summary>Calls the kernel.</summary>
    void Launch(IKernels kernels);
}

/// <summary>How a kernel touches an operand.</summary>
public enum KernelAccess
{
    /// <summary>It reads it.</summary>
    Read,

    /// <summary>It overwrites all of it, whatever was there.</summary>
    Write,

    /// <summary>It reads and replaces it.</summary>
    Update,
}

/// <summary>The ranges of memory that one call of a kernel touches. For checks: steps that nobody checks make no such list.</summary>
public sealed class KernelAccesses
{
    private readonly List<(nuint Start, long Bytes, KernelAccess Access)> ranges = [];

    /// <summary>All of them, in the order of their declaration.</summary>
    public IReadOnlyList<(nuint Start, long Bytes, KernelAccess Access)> Ranges => ranges;

    /// <summary>Whether it reads the step's run-time arguments.</summary>
    public bool ReadsStepArguments { get; private set; }

    /// <summary>Whether it works in the memory that matrix products have beside the arenas.</summary>
    public bool UsesProductWorkspace { get; private set; }

    /// <summary>Bytes of so many fp32 numbers.</summary>
    public static long Floats(long count) => count * sizeof(float);

    /// <summary>One of several fp32 arrays that lie at equal distances.</summary>
    /// <param name="first">The first array.</param>
    /// <param name="index">Which one.</param>
    /// <param name="stride">Elements from one to the next.</param>
    public static nuint Statistic(nuint first, int index, int stride) => first + (nuint)Floats((long)index * stride);

    /// <summary>It reads so many bytes.</summary>
    public void Read(nuint at, long bytes) => ranges.Add((at, bytes, KernelAccess.Read));

    /// <summary>It reads so many int32.</summary>
    public void Words(nuint at, int count) => Read(at, (long)count * sizeof(int));

    /// <summary>It reads so many fp32, if there are any.</summary>
    public void Floats(nuint at, int count)
    {
        if (at != 0)
        {
            Read(at, Floats(count));
        }
    }

    /// <summary>It reads a tensor, if there is one.</summary>
    public void Read(in Tensor? tensor) => Add(tensor, KernelAccess.Read);

    /// <summary>It overwrites so many bytes.</summary>
    public void Write(nuint at, long bytes) => ranges.Add((at, bytes, KernelAccess.Write));

    /// <summary>It overwrites a tensor, if there is one.</summary>
    public void Write(in Tensor? tensor) => Add(tensor, KernelAccess.Write);

    /// <summary>It reads and replaces so many bytes.</summary>
    public void Update(nuint at, long bytes) => ranges.Add((at, bytes, KernelAccess.Update));

    /// <summary>It reads and replaces a tensor.</summary>
    public void Update(in Tensor tensor) => Add(tensor, KernelAccess.Update);

    /// <summary>It adds to so many bytes, or overwrites them.</summary>
    public void Sum(nuint at, long bytes, bool accumulate) =>
        ranges.Add((at, bytes, accumulate ? KernelAccess.Update : KernelAccess.Write));

    /// <summary>It adds to a tensor, if there is one, or overwrites it.</summary>
    public void Sum(in Tensor? tensor, bool accumulate) => Add(tensor, accumulate ? KernelAccess.Update : KernelAccess.Write);

    /// <summary>It reads the step's run-time arguments.</summary>
    public void StepArguments() => ReadsStepArguments = true;

    /// <summary>It works in the memory that matrix products have beside the arenas.</summary>
    public void ProductWorkspace() => UsesProductWorkspace = true;

    private void Add(in Tensor? tensor, KernelAccess access)
    {
        if (tensor is not { } some)
        {
            return;
        }

        if (some.IsDense)
        {
            ranges.Add((some.Address, some.Bytes, access));
            return;
        }

        // What lies between the rows of some columns is not touched.
        for (int i = 0; i < some.Rows; i++)
        {
            var row = some.RowRange(i, 1);
            ranges.Add((row.Address, row.Bytes, access));
        }
    }
}
