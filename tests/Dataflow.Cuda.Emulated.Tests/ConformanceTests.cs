using Dataflow.Conformance;

namespace Dataflow.Cuda.Emulated.Tests;

public sealed class GradientTests : GradientConformance<EmulatedDevices>;

public sealed class TrajectoryTests : TrajectoryConformance<EmulatedDevices>;

public sealed class StepShapeTests : StepShapeConformance<EmulatedDevices>;

public sealed class EquivalenceTests : EquivalenceConformance<EmulatedDevices>;

public sealed class SegmentTests : SegmentConformance<EmulatedDevices>;

public sealed class VocabularyTests : VocabularyConformance<EmulatedDevices>;
