/* What a program must know about model_int8.tflite. Generated at the export; do not edit. */
#ifndef LAB_MODELS_MODEL_INT8_H
#define LAB_MODELS_MODEL_INT8_H

/* The model: the first MODEL_BYTES bytes of the .tflite file, and their SHA-256. */
#define MODEL_INT8_MODEL_BYTES 4408L
#define MODEL_INT8_MODEL_SHA256 "55bf47db38b66d7014dc7c55f945fc00e1e4ea32569717b46d22addcc0039d20"

/* The image: crop in the middle, resize with antialiasing, colour; then rows of RGB. */
#define MODEL_INT8_INPUT_HEIGHT 16
#define MODEL_INT8_INPUT_WIDTH 16
#define MODEL_INT8_INPUT_CHANNELS 3
#define MODEL_INT8_CROP 1.0
#define MODEL_INT8_COLOUR_RGB 1
#define MODEL_INT8_COLOUR_LUMINANCE 0
#define MODEL_INT8_INTERPOLATION_NEAREST 0
#define MODEL_INT8_INTERPOLATION_BOX 0
#define MODEL_INT8_INTERPOLATION_BILINEAR 1
#define MODEL_INT8_INTERPOLATION_BICUBIC 0
#define MODEL_INT8_INTERPOLATION_LANCZOS 0

/* The tensors: real = SCALE * (stored - ZERO_POINT); in are pixels 0..255, out logits. */
#define MODEL_INT8_INPUT_FLOAT32 0
#define MODEL_INT8_INPUT_UINT8 0
#define MODEL_INT8_INPUT_INT8 1
#define MODEL_INT8_INPUT_SCALE 1.0
#define MODEL_INT8_INPUT_ZERO_POINT (-128)
#define MODEL_INT8_INPUT_TAKES_PIXELS 1
#define MODEL_INT8_OUTPUT_FLOAT32 0
#define MODEL_INT8_OUTPUT_UINT8 0
#define MODEL_INT8_OUTPUT_INT8 1
#define MODEL_INT8_OUTPUT_SCALE 0.062111746519804
#define MODEL_INT8_OUTPUT_ZERO_POINT (25)

/* The classes, in the order of the logits. */
#define MODEL_INT8_CLASSES 3
#define MODEL_INT8_LABELS {"lymphocyte", "segmented_neutrophil", "large_thrombocyte"}
#define MODEL_INT8_CLASS_LYMPHOCYTE 0
#define MODEL_INT8_CLASS_SEGMENTED_NEUTROPHIL 1
#define MODEL_INT8_CLASS_LARGE_THROMBOCYTE 2

/* The answer: score = softmax(logits / TEMPERATURE); below its class's threshold UNKNOWN. */
#define MODEL_INT8_TEMPERATURE 1.0
#define MODEL_INT8_REJECTION_THRESHOLDS {0.0, 0.0, 0.0}
#define MODEL_INT8_UNKNOWN "unknown"

#endif /* LAB_MODELS_MODEL_INT8_H */
