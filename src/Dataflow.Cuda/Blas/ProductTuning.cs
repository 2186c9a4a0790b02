using System.Runtime.InteropServices;
using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// Measures which of cuBLASLt's algorithms is the fastest for each product of a schedule: each candidate once, on random numbers, with the
/// GPU under load from before the first to the last, so that it clocks as in a run.
/// </summary>
public sealed class ProductTuning : IDisposable
{
    /// <summary>Candidates of a product.</summary>
    public const int Candidates = 16;

    // A choice that is no faster than this against the library's own is noise, and its own is what runs have without a file.
    private const double LeastGain = 0.01;
    private const double WarmSeconds = 2;
    private const int RandomNumbers = 1 << 20;

    private readonly CudaContext context;
    private readonly CublasLt library;
    private readonly CudaStream stream;
    private readonly DeviceMemory workspace;
    private readonly double seconds;
    private bool isWarm = CudaEmulation.IsOn;

    /// <param name="context">Of the GPU, which nothing else uses.</param>
    /// <param name="seconds">How long each candidate is run; of the emulated driver once.</param>
    public ProductTuning(CudaContext context, double seconds)
    {
        (this.context, this.seconds) = (context, seconds);
        library = CublasLt.Open(context);
        stream = CudaStream.Create(context);
        workspace = DeviceMemory.Allocate(context, Gemm.Workspace, "the workspace of matrix products");
    }

    /// <summary>What is stored already, and the choices for the other products of a schedule.</summary>
    /// <param name="known">Of this GPU and library.</param>
    /// <param name="schedule">Whose products are measured.</param>
    /// <param name="workload">What the schedule is of.</param>
    /// <param name="again">Measure those that are stored, too: runs then have other bits.</param>
    /// <param name="tell">Told of each product, and what percentage is done.</param>
    /// <exception cref="MachineException">The GPU has no memory for the operands.</exception>
    public ProductChoices Measure(ProductChoices known, Schedule schedule, Workload workload, bool again, Action<string, int> tell)
    {
        ProductShape[] shapes = [.. Products.Of(schedule, workload).Select(p => ProductShape.Of(p)).Distinct()];
        ProductShape[] wanted = [.. shapes.Where(s => again || known[s] is null)];
        var all = known.All.ToBuilder();
        for (int i = 0; i < wanted.Length; i++)
        {
            tell(wanted[i].ToString(), 100 * i / wanted.Length);
            all[wanted[i].ToString()] = Measure(wanted[i]);
        }

        return known with { All = all.ToImmutable() };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        workspace.Dispose();
        stream.Dispose();
        library.Dispose();
    }

    private ProductChoice Measure(ProductShape product)
    {
        using var problem = product.Describe();
        using var preference = product.Preference(Gemm.Workspace);
        using DeviceMemory a = Filled(product.A), b = Filled(product.B), c = Filled(product.C), bias = Filled(product.C with { Rows = 1 });
        if (product.HasBias)
        {
            problem.Description.SetBias(bias.Start);
        }

        var operands = new MatmulOperands
        {
            Alpha = 1,
            A = b.Start,
            B = a.Start,
            Beta = product.Adds ? 1 : 0,
            C = c.Start,
            D = c.Start,
        };
        var candidates = library.Propose(problem, preference, Candidates).Where(p => p.IsRepeatable).ToArray();
        if (candidates.Length == 0)
        {
            throw new MachineException($"cuBLASLt {CublasLt.LibraryVersion} has no repeatable algorithm for {product}");
        }

        Action Run(MatmulCandidate candidate) =>
            () => library.Multiply(stream, problem, candidate.Algorithm, operands, workspace.Start, Gemm.Workspace);

        if (!isWarm)
        {
            _ = SecondsOf(Run(candidates[0]), WarmSeconds);
            isWarm = true;
        }

        double[] times = [.. candidates.Select(p => SecondsOf(Run(p), seconds))];
        int best = times.IndexOf(times.Min());
        int chosen = times[best] < times[0] * (1 - LeastGain) ? best : 0;
        return new ProductChoice(ProductChoice.TextOf(candidates[chosen].Algorithm), times[chosen], times[0], candidates.Length);
    }

    /// <summary>Of one launch: the mean of as many in a row as that time holds.</summary>
    private double SecondsOf(Action launch, double time)
    {
        using var start = CudaEvent.Create(context, EventTiming.On);
        using var end = CudaEvent.Create(context, EventTiming.On);
        double Of(int count)
        {
            stream.Record(start);
            for (int i = 0; i < count; i++)
            {
                launch();
            }

            stream.Record(end);
            end.Synchronize();
            return Math.Max(end.MillisecondsSince(start) / 1e3 / count, 1e-7);
        }

        double once = Of(1);
        return CudaEmulation.IsOn ? once : Of((int)Math.Clamp(time / Of((int)Math.Clamp(time / 10 / once, 1, 1000)), 1, 100_000));
    }

    /// <summary>A matrix of normally distributed numbers: what a product draws of power depends on its operands.</summary>
    private DeviceMemory Filled(Stored matrix)
    {
        var memory = DeviceMemory.Allocate(context, matrix.Length.Aligned, "an operand of a product that is measured");
        var random = new Random(1);
        float[] normal = new float[RandomNumbers];
        for (int i = 0; i < normal.Length; i++)
        {
            normal[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        byte[] bytes = matrix.Type == DType.Float32
            ? MemoryMarshal.AsBytes(normal.AsSpan()).ToArray()
            : MemoryMarshal.AsBytes(Array.ConvertAll(normal, x => (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16)).AsSpan()).ToArray();
        for (long at = 0; at < matrix.Length.Value; at += bytes.Length)
        {
            memory.Write(new Bytes(at), bytes.AsSpan(0, (int)Math.Min(bytes.Length, matrix.Length.Value - at)));
        }

        return memory;
    }
}
