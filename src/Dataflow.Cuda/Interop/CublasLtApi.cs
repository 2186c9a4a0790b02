using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>cuBLASLt. Names and arguments are those of cublasLt.h.</summary>
internal static unsafe partial class CublasLtApi
{
    static CublasLtApi() => LibraryResolver.Install();

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial nuint cublasLtGetVersion();

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial byte* cublasLtGetStatusName(BlasStatus status);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial byte* cublasLtGetStatusString(BlasStatus status);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtCreate(nint* handle);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtDestroy(nint handle);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulDescCreate(nint* description, ComputeType compute, BlasType scale);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulDescDestroy(nint description);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulDescSetAttribute(
        MatmulDescription description,
        MatmulDescriptionAttribute attribute,
        void* value,
        nuint size
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulDescGetAttribute(
        MatmulDescription description,
        MatmulDescriptionAttribute attribute,
        void* value,
        nuint size,
        nuint* written
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatrixLayoutCreate(
        nint* layout,
        BlasType type,
        ulong rows,
        ulong columns,
        long leadingDimension
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatrixLayoutDestroy(nint layout);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatrixLayoutSetAttribute(
        MatrixLayout layout,
        MatrixLayoutAttribute attribute,
        void* value,
        nuint size
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatrixLayoutGetAttribute(
        MatrixLayout layout,
        MatrixLayoutAttribute attribute,
        void* value,
        nuint size,
        nuint* written
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulPreferenceCreate(nint* preference);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulPreferenceDestroy(nint preference);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulPreferenceSetAttribute(
        MatmulPreference preference,
        MatmulPreferenceAttribute attribute,
        void* value,
        nuint size
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulPreferenceGetAttribute(
        MatmulPreference preference,
        MatmulPreferenceAttribute attribute,
        void* value,
        nuint size,
        nuint* written
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulAlgoGetHeuristic(
        CublasLt handle, MatmulDescription description, MatrixLayout a, MatrixLayout b, MatrixLayout c, MatrixLayout d,
        MatmulPreference preference, int wanted, HeuristicResult* results, int* found);

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulAlgoCheck(
        CublasLt handle,
        MatmulDescription description,
        MatrixLayout a,
        MatrixLayout b,
        MatrixLayout c,
        MatrixLayout d,
        MatmulAlgorithm* algorithm,
        HeuristicResult* result
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulAlgoConfigGetAttribute(
        MatmulAlgorithm* algorithm,
        AlgorithmAttribute attribute,
        void* value,
        nuint size,
        nuint* written
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulAlgoConfigSetAttribute(
        MatmulAlgorithm* algorithm,
        AlgorithmAttribute attribute,
        void* value,
        nuint size
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmulAlgoCapGetAttribute(
        MatmulAlgorithm* algorithm,
        AlgorithmCapability capability,
        void* value,
        nuint size,
        nuint* written
    );

    [LibraryImport(LibraryFile.CublasLt)]
    public static partial BlasStatus cublasLtMatmul(
        CublasLt handle,
        MatmulDescription description,
        void* alpha,
        DevicePointer a,
        MatrixLayout aLayout,
        DevicePointer b,
        MatrixLayout bLayout,
        void* beta,
        DevicePointer c,
        MatrixLayout cLayout,
        DevicePointer d,
        MatrixLayout dLayout,
        MatmulAlgorithm* algorithm,
        DevicePointer workspace,
        nuint workspaceBytes,
        CudaStream stream
    );
}
