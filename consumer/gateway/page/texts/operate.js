export default {en: {}, de: {}};
