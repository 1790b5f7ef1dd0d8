"""How like real sensor data generated data are: measures of generated against held-out real series, and a report.

    report = make_report(train, held_out, generated)      # TimeSeries, arrays (T, C) or several series
    print(report)                                         # each figure beside the same figure of real data

Nothing here knows how the data were generated, so every generator is measured alike. Each measure is made to see one
thing, and blind to others; only together do they say that data are like real ones:

marginals       values that real data do not have, whatever their order
dynamics        memory of a channel, and of channels for each other
spectrum        rhythms
discriminative  anything at all that a classifier finds
prediction      whether a model can learn from them what it would from real data
detection       the same for a detector
neighbours      odd windows, missing modes, and copies of the training data
"""

from anomgan.fidelity.detection import Detection, Fit, detection_on_real
from anomgan.fidelity.discriminative import Discriminative, discriminative_score
from anomgan.fidelity.dynamics import autocorrelation_difference, correlations, cross_correlation_difference
from anomgan.fidelity.marginals import kolmogorov_smirnov, wasserstein
from anomgan.fidelity.neighbours import Nearness, nearness
from anomgan.fidelity.prediction import last_value_error, prediction_error
from anomgan.fidelity.report import FidelityReport, Figures, make_report
from anomgan.fidelity.sample import halves
from anomgan.fidelity.spectrum import log_spectral_distance, welch
from anomgan.manifold import Manifold, manifold

__all__ = [
    "Detection",
    "Discriminative",
    "FidelityReport",
    "Figures",
    "Fit",
    "Manifold",
    "Nearness",
    "autocorrelation_difference",
    "correlations",
    "cross_correlation_difference",
    "detection_on_real",
    "discriminative_score",
    "halves",
    "kolmogorov_smirnov",
    "last_value_error",
    "log_spectral_distance",
    "make_report",
    "manifold",
    "nearness",
    "prediction_error",
    "wasserstein",
    "welch",
]
