using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>cuBLASLt for one context.</summary>
public sealed unsafe class CublasLt : CudaHandle
{
    private readonly nint context;

    private CublasLt(CudaContext of) => context = of.Value;

    /// <summary>"12.4.5": what algorithms were chosen for, beside the device.</summary>
    public static Version LibraryVersion
    {
        get
        {
            int version = (int)CublasLtApi.cublasLtGetVersion();
            return new Version(version / 10000, version % 10000 / 100, version % 100);
        }
    }

    /// <summary>Opens the library for a context, which is current on this thread.</summary>
    /// <exception cref="MissingLibraryException">It is not installed.</exception>
    public static CublasLt Open(CudaContext context)
    {
        var library = new CublasLt(context);
        nint handle;
        CublasLtApi.cublasLtCreate(&handle).Check($"starting cuBLASLt on GPU {context.Gpu.Ordinal} ({context.Gpu.Name})");
        library.Adopt(handle, context);
        return library;
    }

    /// <summary>Algorithms for a product, the fastest first by the library's own estimate; none where it has none.</summary>
    public IReadOnlyList<MatmulCandidate> Propose(MatmulProblem problem, MatmulPreference preference, int most)
    {
        var results = new HeuristicResult[most];
        int found;
        BlasStatus status;
        fixed (HeuristicResult* first = results)
        {
            status = CublasLtApi.cublasLtMatmulAlgoGetHeuristic(
                this, problem.Description, problem.A, problem.B, problem.C, problem.D, preference, most, first, &found);
        }

        if (status == BlasStatus.NotSupported)
        {
            return [];
        }

        status.Check($"choosing an algorithm for {problem}");
        return [.. results.Take(found).Where(r => r.State == BlasStatus.Success).Select(Candidate)];
    }

    /// <summary>A kept algorithm with what it needs here; null where it does not suit this device or product.</summary>
    public MatmulCandidate? Check(MatmulProblem problem, MatmulAlgorithm algorithm)
    {
        HeuristicResult result;
        var status = CublasLtApi.cublasLtMatmulAlgoCheck(
            this,
            problem.Description,
            problem.A,
            problem.B,
            problem.C,
            problem.D,
            &algorithm,
            &result
        );
        result.Algorithm = algorithm;
        return status == BlasStatus.Success && result.State == BlasStatus.Success ? Candidate(result) : null;
    }

    /// <summary>Appends d = alpha op(a) op(b) + beta c to a stream; c and d may be the same.</summary>
    /// <param name="stream">Where it is appended.</param>
    /// <param name="problem">The operation and the shapes of all four matrices.</param>
    /// <param name="algorithm">One that the library proposed for this problem.</param>
    /// <param name="operands">Factors, and where the matrices are.</param>
    /// <param name="workspace">As much as the algorithm's candidate says, aligned to 256 bytes.</param>
    /// <param name="workspaceLength">Bytes of the workspace.</param>
    public void Multiply(
        CudaStream stream,
        MatmulProblem problem,
        in MatmulAlgorithm algorithm,
        in MatmulOperands operands,
        DevicePointer workspace,
        Bytes workspaceLength
    )
    {
        var chosen = algorithm;
        float alpha = operands.Alpha, beta = operands.Beta;
        CublasLtApi.cublasLtMatmul(
            this, problem.Description, &alpha, operands.A, problem.A, operands.B, problem.B, &beta, operands.C, problem.C, operands.D,
            problem.D, &chosen, workspace, (nuint)workspaceLength.Value, stream).Check($"multiplying matrices ({problem})");
    }

    private protected override void Release(nint value)
    {
        CudaContext.MakeCurrentForRelease(context);
        _ = CublasLtApi.cublasLtDestroy(value);
    }

    private static MatmulCandidate Candidate(HeuristicResult result) =>
        new(result.Algorithm, new Bytes((long)result.WorkspaceBytes), result.Waves);
}
